"""Building a commit from a list of file actions, as GitLab's commits API does."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.git.trees import EXECUTABLE, Entry, all_files, last_commit

REGULAR = "100644"


class InvalidAction(Exception):
    """An action that cannot be applied; the message is GitLab's."""


@dataclass(frozen=True)
class Action:
    """A file action. `action` is create, update, delete, move or chmod; content None leaves a moved file unchanged."""

    action: str
    file_path: str
    previous_path: str = ""
    content: bytes | None = None
    last_commit_id: str = ""
    execute_filemode: bool | None = None


@dataclass(frozen=True)
class Signature:
    """The author or committer of a commit."""

    name: str
    email: str


def clean_path(path: str) -> str:
    """The path as it is written into the tree; raises InvalidAction with Gitaly's message if it is not valid."""
    if not path.strip("/"):
        raise InvalidAction("You must provide a file path")
    if "//" in path or "\x00" in path:
        raise InvalidAction(f"invalid path: '{path}'")
    cleaned = posixpath.normpath(path)
    if path.startswith("/../"):
        raise InvalidAction("Path cannot include directory traversal")
    if path.startswith("/"):
        raise InvalidAction(f"invalid path: '{path}'")
    parts = cleaned.split("/")
    if ".." in path.split("/"):
        raise InvalidAction("Path cannot include directory traversal")
    if any(part.lower() in (".git", "git~1") or part == "." for part in parts) or path.endswith("/"):
        raise InvalidAction(f"invalid path: '{path}'")
    return cleaned


class _Tree:
    """The files of a commit while actions are applied; new content is held as bytes until it is written."""

    def __init__(self, files: dict[str, Entry]) -> None:
        self.before = files
        self.files: dict[str, tuple[str, str | bytes]] = {
            path: (entry.mode, entry.sha) for path, entry in files.items()
        }

    def is_directory(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self.files)

    def add(self, path: str, mode: str, content: str | bytes) -> None:
        if path in self.files:
            raise InvalidAction("A file with this name already exists")
        if self.is_directory(path):
            raise InvalidAction("A directory with this name already exists")
        parts = path.split("/")
        if any("/".join(parts[:depth]) in self.files for depth in range(1, len(parts))):
            raise InvalidAction("A file with this name already exists")
        self.files[path] = (mode, content)

    def take(self, path: str) -> tuple[str, str | bytes]:
        found = self.files.get(path)
        if found is None or found[0] == "160000":
            raise InvalidAction("A file with this name doesn't exist")
        return found

    def apply(self, action: Action) -> None:
        path = clean_path(action.file_path)
        if action.action == "create":
            self.add(path, EXECUTABLE if action.execute_filemode else REGULAR, action.content or b"")
        elif action.action == "update":
            mode, _ = self.take(path)
            self.files[path] = (mode, action.content or b"")
        elif action.action == "delete":
            self.take(path)
            del self.files[path]
        elif action.action == "move":
            previous = clean_path(action.previous_path)
            mode, content = self.take(previous)
            del self.files[previous]
            self.add(path, mode, content if action.content is None else action.content)
        elif action.action == "chmod":
            mode, content = self.take(path)
            if mode in (REGULAR, EXECUTABLE):
                self.files[path] = (EXECUTABLE if action.execute_filemode else REGULAR, content)

    def stream(self) -> bytes:
        """The changes against the original files, as commands for git fast-import."""
        gone = [path for path in self.before if path not in self.files]
        lines = [b"D " + _quote(path) + b"\n" for path in gone]
        for path, (mode, content) in self.files.items():
            before = self.before.get(path)
            if isinstance(content, bytes):
                head = b"M " + mode.encode() + b" inline " + _quote(path) + b"\n"
                lines.append(head + b"data %d\n" % len(content) + content + b"\n")
            elif before is None or (before.mode, before.sha) != (mode, content):
                lines.append(b"M " + mode.encode() + b" " + content.encode() + b" " + _quote(path) + b"\n")
        return b"".join(lines)


def check_unchanged(repository: Repository, tip: str | None, actions: Sequence[Action]) -> None:
    """Raise InvalidAction if a file was changed by a later commit than the action's last_commit_id."""
    for action in actions:
        if action.last_commit_id and tip and action.action in ("update", "move", "delete"):
            path = action.previous_path or action.file_path
            if last_commit(repository, tip, path) != action.last_commit_id:
                raise InvalidAction(
                    f"You are attempting to update a file {path} that has changed since you started editing it."
                )


def build_commit(
    repository: Repository,
    parent: str | None,
    actions: Sequence[Action],
    message: str,
    author: Signature,
    committer: Signature,
    when: datetime,
) -> str:
    """Write a commit with these actions on `parent` (None for a root commit) and return its sha; no branch is moved."""
    tree = _Tree(all_files(repository, parent) if parent else {})
    for action in actions:
        tree.apply(action)
    text = message.encode("utf-8", "surrogateescape")
    stamp = b"%d +0000" % int(when.timestamp())
    # fast-import must write to a ref, but only the caller may move the branch, so this uses a temporary ref.
    ref = b"refs/sandbox/%d" % id(tree)
    stream = (
        b"commit " + ref + b"\nmark :1\nauthor " + _signature(author) + b" " + stamp
        + b"\ncommitter " + _signature(committer) + b" " + stamp + b"\ndata %d\n" % len(text) + text + b"\n"
        + (b"from " + parent.encode() + b"\n" if parent else b"")
        + tree.stream() + b"\nget-mark :1\nreset " + ref + b"\nfrom " + b"0" * 40 + b"\n\ndone\n"
    )  # fmt: skip
    output = repository.git.output(repository.path, "fast-import", "--quiet", "--done", "--force", stdin=stream)
    return output.decode().strip()


def _signature(who: Signature) -> bytes:
    name = "".join(letter for letter in who.name if letter not in "<>\n\x00").strip()
    email = "".join(letter for letter in who.email if letter not in "<>\n\x00 ").strip()
    if not name or not email:
        raise InvalidAction("commit: failed to parse signature - Signature cannot have an empty name or email")
    return f"{name} <{email}>".encode("utf-8", "surrogateescape")


def _quote(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + escaped.encode("utf-8", "surrogateescape") + b'"'
