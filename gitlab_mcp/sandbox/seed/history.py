"""A git history that is written with one run of git fast-import."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gitlab_mcp.sandbox.git.repository import Repository

EXECUTABLE, LINK, SUBMODULE = "100755", "120000", "160000"


class History:
    """Commits and tags, in the order in which they are added; authors are usernames of the seed users."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def commit(
        self,
        branch: str,
        author: str,
        when: datetime,
        message: str,
        files: Mapping[str, str | bytes | tuple[str, str | bytes]],
        *,
        deleted: tuple[str, ...] = (),
        start: str = "",
        merge: str = "",
    ) -> None:
        """Add a commit. `files` maps paths to text, bytes or (mode, content); a new branch begins at `start`."""
        text = message.encode()
        signature = f"{author.title()} <{author}@example.com> {int(when.timestamp())} +0000".encode()
        lines = [b"commit refs/heads/" + branch.encode(), b"author " + signature, b"committer " + signature]
        lines += [b"data %d" % len(text), text]
        lines += [b"from refs/heads/" + start.encode()] if start else []
        lines += [b"merge refs/heads/" + merge.encode()] if merge else []
        lines += [b'D "' + path.encode() + b'"' for path in deleted]
        self._parts.append(b"\n".join(lines) + b"\n")
        for path, value in files.items():
            mode, content = value if isinstance(value, tuple) else ("100644", value)
            data = content.encode() if isinstance(content, str) else content
            name = b' "' + path.encode() + b'"\n'
            if mode == SUBMODULE:
                self._parts.append(b"M 160000 " + data + name)
            else:
                self._parts.append(b"M " + mode.encode() + b" inline" + name + b"data %d\n" % len(data) + data + b"\n")

    def branch(self, name: str, start: str) -> None:
        """Add a branch that points at the same commit as another."""
        self._parts.append(f"reset refs/heads/{name}\nfrom refs/heads/{start}\n\n".encode())

    def tag(self, name: str, author: str, when: datetime, message: str, branch: str) -> None:
        """Add an annotated tag of the newest commit of a branch."""
        text = message.encode()
        signature = f"{author.title()} <{author}@example.com> {int(when.timestamp())} +0000"
        head = f"tag {name}\nfrom refs/heads/{branch}\ntagger {signature}\ndata {len(text)}\n"
        self._parts.append(head.encode() + text + b"\n")

    def write(self, repository: Repository) -> None:
        """Write the history into a repository."""
        stream = b"".join([*self._parts, b"done\n"])
        repository.git.output(repository.path, "fast-import", "--quiet", "--done", stdin=stream)
