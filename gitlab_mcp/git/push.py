"""Creating a commit without a work tree, and pushing it to a branch on GitLab."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO
from uuid import uuid4

from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.objects import EXECUTABLE, TreeEntry
from gitlab_mcp.git.process import on_disk
from gitlab_mcp.git.remote import REMOTE_NAME, RemoteError, RemoteErrorKind, remote_error, remote_messages
from gitlab_mcp.git.session import GitSession

# Compressing a larger file takes longer than sending it uncompressed.
COMPRESSED_BYTES = 1_000_000


def build(
    git: GitSession,
    parent: str,
    message: str,
    changes: Sequence[Change],
    tree: Mapping[str, TreeEntry],
    author: Author,
    made_at: int,
) -> str:
    """Create a commit of `changes` on top of `parent` ("" for a first commit) and return its id.

    `tree` holds the entries at the paths of `changes` in `parent`. The caller must have checked that the changes fit
    them: git would ignore the deletion of a missing file, and crash on moving one. `made_at` is in seconds since the
    epoch; equal arguments create the same commit.
    """
    # fast-import names unchanged content by its id, and needs the object itself.
    git.fetch_blobs(entry.id for change in changes if (entry := _kept_entry(change, tree)))
    big = any(len(change.content or b"") > COMPRESSED_BYTES for change in changes)
    compression = ("core.compression=0", "pack.compression=0") if big else ()
    signature = f"{_name(author.name)} <{_name(author.email)}> {made_at} +0000"
    with on_disk(), tempfile.TemporaryFile(dir=git.directory()) as stream:
        _write(stream, parent, message, changes, tree, signature)
        stream.seek(0)
        arguments = ("fast-import", "--quiet", "--done", "--date-format=raw")
        return git.run(*arguments, stdin=stream, settings=compression).decode().strip()


def _write(
    stream: BinaryIO,
    parent: str,
    message: str,
    changes: Sequence[Change],
    tree: Mapping[str, TreeEntry],
    signature: str,
) -> None:
    """Write the commit in the input format of git fast-import: https://git-scm.com/docs/git-fast-import"""
    text = message.encode("utf-8", "replace")
    # fast-import writes the commit to a ref, so each commit needs one of its own.
    stream.write(f"commit refs/made/{uuid4().hex}\nmark :1\n".encode())
    stream.write(f"author {signature}\ncommitter {signature}\n".encode())
    stream.write(b"data %d\n%s\n" % (len(text), text))
    if parent:
        stream.write(f"from {parent}\n".encode())
    for path in (path for change in changes for path in _removed(change)):
        stream.write(b"D %s\n" % _quoted(path))
    for change in changes:
        for piece in _modify_command(change, tree):
            stream.write(piece)
    stream.write(b"\nget-mark :1\ndone\n")


def _removed(change: Change) -> tuple[str, ...]:
    """The path that a change removes: that of a deletion, or the old path of a move."""
    return (change.path,) if change.action == "delete" else (change.previous_path,) if change.previous_path else ()


def _kept_entry(change: Change, tree: Mapping[str, TreeEntry]) -> TreeEntry | None:
    """The entry whose content a change keeps, None where it brings content of its own or deletes the file."""
    if change.action == "delete" or change.content is not None:
        return None
    return tree.get(change.previous_path or change.path)


def _modify_command(change: Change, tree: Mapping[str, TreeEntry]) -> Iterator[bytes]:
    """The pieces of fast-import's command "M" (filemodify) for a change; none for a deletion."""
    if change.action == "delete":
        return
    path, existing = _quoted(change.path), tree.get(change.previous_path or change.path)
    was_executable = existing is not None and existing.mode == EXECUTABLE
    executable = was_executable if change.executable is None else change.executable
    mode = b"100755" if executable else b"100644"
    if change.content is not None:
        yield b"M %s inline %s\ndata %d\n" % (mode, path, len(change.content))
        yield change.content
        yield b"\n"
    elif existing is not None:
        yield b"M %s %s %s\n" % (mode, existing.id.encode(), path)


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    return b'"%s"' % raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _name(text: str) -> str:
    return re.sub(r"[<>\x00-\x1f\x7f]+", " ", text).strip()


class PushStatus(Enum):
    """The outcome of a push that GitLab answered."""

    OK = "the branch points at the pushed commit"
    STALE = "the branch does not point at the expected commit"
    REJECTED = "GitLab refused the push"


@dataclass(frozen=True)
class Pushed:
    """GitLab's answer to a push.

    `unchanged` is whether the branch pointed at the commit before. `reason` is git's reason for a refusal, `messages`
    are those of GitLab, line by line. `clash` names the branch that could not be created and the existing branch that
    prevents it, where that was the reason.
    """

    status: PushStatus
    unchanged: bool = False
    reason: str = ""
    messages: list[str] = field(default_factory=list)
    clash: tuple[str, str] | None = None


class RefLocked(RemoteError):
    """GitLab could not write the ref just now, though it did not move: nothing was changed, and a later push may work.

    Another push holds its lock, or left it behind.
    """


# git's messages for a ref that moved, by the side that notices it first: the client, the server, and the server while
# it writes the ref (refs/files-backend.c; in git 2.50 and newer ref_transaction_error_msg).
_STALE = re.compile(
    r"stale info|non-fast-forward|fetch first|remote ref updated|incorrect old value|reference already exists"
    r"|is at [0-9a-f]+ but expected|is missing but expected|reference does not exist|unable to resolve reference"
)
_CLASH = re.compile(r"'refs/heads/([^:]+)' exists; cannot create")  # a ref name contains no colon
_NOT_WRITTEN = re.compile(r"failed to update ref|cannot lock ref|refname conflict")
# The reason of git 2.51 and newer for a ref that exists though it was to be created, and of 2.51.1 and newer also for a
# ref whose lock another process holds (lock_raw_ref in refs/files-backend.c).
_EXISTS_OR_LOCKED = "reference already exists"


def push(git: GitSession, branch: str, commit: str, expected: str, options: Sequence[str]) -> Pushed:
    """Move `branch` from the commit `expected` ("" when it must not exist) to `commit` ("" deletes it).

    `options` are push options. `commit` must be `expected` or descend from it: with a lease that matches, git would
    force-push anything else.

    Raises RefLocked when GitLab could not write the ref just now, another RemoteError when GitLab gave no answer or
    refused access.
    """
    ref = f"refs/heads/{branch}"
    push_options = [part for option in options for part in ("-o", option)]
    lease = f"--force-with-lease={ref}:{expected}"
    completed = git.run_remote(
        "push", "--porcelain", "--no-verify", *push_options, lease, REMOTE_NAME, f"{commit}:{ref}"
    )
    messages = list(remote_messages(completed.lines))
    rows = [line.split("\t") for line in completed.output.decode("utf-8", "replace").splitlines() if "\t" in line]
    row = next((row for row in rows if len(row) > 2), None)
    if completed.status == 0 and row is not None:
        return Pushed(PushStatus.OK, unchanged=row[0] == "=", messages=messages)
    if row is None or row[0] != "!":
        raise remote_error(completed)
    reason = row[2]
    if _EXISTS_OR_LOCKED in reason and not (expected == "" and git.refs([ref])):
        raise RefLocked(reason, RemoteErrorKind.BUSY, completed.lines, completed.status)
    if "remote failed to report" in reason or "remote failure" in reason:
        raise RemoteError(reason, RemoteErrorKind.BROKEN, completed.lines, completed.status)
    # The messages of the remote count only where it could not write the ref: a hook could print anything.
    evidence = "\n".join([reason, *messages]) if _NOT_WRITTEN.search(reason) else reason
    if clash := _CLASH.search(evidence):
        return Pushed(PushStatus.REJECTED, reason=reason, messages=messages, clash=(branch, clash[1]))
    if _STALE.search(evidence):
        return Pushed(PushStatus.STALE, reason=reason, messages=messages)
    if _NOT_WRITTEN.search(reason) and "refname conflict" not in reason:
        raise RefLocked(reason, RemoteErrorKind.BUSY, completed.lines, completed.status)
    return Pushed(PushStatus.REJECTED, reason=reason, messages=messages)
