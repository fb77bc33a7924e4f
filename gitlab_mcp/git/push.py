"""Making a commit without a work tree, and moving one of GitLab's branches to it."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO
from uuid import uuid4

from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.objects import EXECUTABLE, TreeEntry
from gitlab_mcp.git.process import TimeLeft, checked, environment, on_disk, run_git
from gitlab_mcp.git.remote import REMOTE_NAME, RemoteError, RemoteErrorKind, remote_error, remote_messages
from gitlab_mcp.git.scratch_repository import ScratchRepository

# Compressing what is larger takes longer than sending it.
COMPRESSED_BYTES = 1_000_000


def build(
    repository: ScratchRepository,
    parent: str,
    message: str,
    changes: Sequence[Change],
    tree: Mapping[str, TreeEntry],
    author: Author,
    made_at: int,
    time_left: TimeLeft,
) -> str:
    """Make a commit of `changes` on top of `parent` ("" for a first one) and return its id.

    `tree` is what is at their paths in `parent`; that they fit it was checked before: git would delete a missing file
    in silence, and crash on moving one. `made_at` is in seconds since the epoch; equal arguments make the same commit.
    """
    # What keeps its content is named by its id, and git wants to see the object.
    repository.fetch_blobs((there.id for change in changes if (there := _kept(change, tree))), time_left)
    big = any(len(change.content or b"") > COMPRESSED_BYTES for change in changes)
    compression = ("-c", "core.compression=0", "-c", "pack.compression=0") if big else ()
    directory = repository.directory(time_left)
    who = f"{_name(author.name)} <{_name(author.email)}> {made_at} +0000"
    with on_disk(), tempfile.TemporaryFile(dir=directory) as stream:
        _write(stream, parent, message, changes, tree, who)
        stream.seek(0)
        ended = run_git(
            *compression,
            f"--git-dir={directory}",
            "fast-import",
            "--quiet",
            "--done",
            "--date-format=raw",
            environment=environment(),
            time_left=time_left,
            directory=directory,
            stdin=stream,
        )
    return checked(ended, "fast-import").decode().strip()


def _write(
    stream: BinaryIO, parent: str, message: str, changes: Sequence[Change], tree: Mapping[str, TreeEntry], who: str
) -> None:
    """The stream that git fast-import reads: https://git-scm.com/docs/git-fast-import"""
    text = message.encode("utf-8", "replace")
    # It wants a ref, which must not be another commit's.
    stream.write(f"commit refs/made/{uuid4().hex}\nmark :1\n".encode())
    stream.write(f"author {who}\ncommitter {who}\n".encode())
    stream.write(b"data %d\n%s\n" % (len(text), text))
    if parent:
        stream.write(f"from {parent}\n".encode())
    for path in (path for change in changes for path in _left(change)):
        stream.write(b"D %s\n" % _quoted(path))
    for change in changes:
        for piece in _written(change, tree):
            stream.write(piece)
    stream.write(b"\nget-mark :1\ndone\n")


def _left(change: Change) -> tuple[str, ...]:
    """The path at which nothing is left."""
    return (change.path,) if change.action == "delete" else (change.previous_path,) if change.previous_path else ()


def _kept(change: Change, tree: Mapping[str, TreeEntry]) -> TreeEntry | None:
    """The entry whose content a change leaves as it is."""
    if change.action == "delete" or change.content is not None:
        return None
    return tree.get(change.previous_path or change.path)


def _written(change: Change, tree: Mapping[str, TreeEntry]) -> Iterator[bytes]:
    if change.action == "delete":
        return
    path, there = _quoted(change.path), tree.get(change.previous_path or change.path)
    executable = there is not None and there.mode == EXECUTABLE if change.executable is None else change.executable
    mode = b"100755" if executable else b"100644"
    if change.content is not None:
        yield b"M %s inline %s\ndata %d\n" % (mode, path, len(change.content))
        yield change.content
        yield b"\n"
    elif there is not None:
        yield b"M %s %s %s\n" % (mode, there.id.encode(), path)


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    return b'"%s"' % raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _name(text: str) -> str:
    return re.sub(r"[<>\x00-\x1f\x7f]+", " ", text).strip()


class PushStatus(Enum):
    """What became of a push that GitLab answered."""

    OK = "the branch is where it was to be"
    STALE = "the branch is not where it was expected"
    REJECTED = "GitLab refused it"


@dataclass(frozen=True)
class Pushed:
    """GitLab's answer to a push.

    `unchanged` is whether the branch was there already. `reason` is git's word for a refusal, `said` what GitLab's side
    said, line by line. `clash` has the branch that could not be made and the one in its way, where that was the reason.
    """

    status: PushStatus
    unchanged: bool = False
    reason: str = ""
    said: list[str] = field(default_factory=list)
    clash: tuple[str, str] | None = None


class RefLocked(RemoteError):
    """GitLab did not move the branch, and not because it is elsewhere: nothing was changed, and it may work later."""


# What the same race is called, by which side notices it first: here, there, and there while the ref is written
# (refs/files-backend.c; in git 2.50 and newer the words of ref_transaction_error_msg).
_MOVED = re.compile(
    r"stale info|non-fast-forward|fetch first|remote ref updated|incorrect old value|already exists"
    r"|is at [0-9a-f]+ but expected|is missing but expected|reference does not exist|unable to resolve reference"
)
_CLASH = re.compile(r"'refs/heads/([^:]+)' exists; cannot create")  # no name of a ref has a colon
_NOT_WRITTEN = re.compile(r"failed to update ref|cannot lock ref|refname conflict")


def push(
    repository: ScratchRepository, branch: str, commit: str, expected: str, options: Sequence[str], time_left: TimeLeft
) -> Pushed:
    """Move `branch` from the commit `expected` ("" when it must not be there) to `commit`, with push options.

    With `commit` "" the branch is deleted.

    `commit` must be `expected` or be built on it: a lease that fits would push anything else by force.

    Raises RefLocked when the branch could not be written just now, another RemoteError when GitLab gave no answer, or
    did not let us in.
    """
    ref = f"refs/heads/{branch}"
    given = [part for option in options for part in ("-o", option)]
    lease = f"--force-with-lease={ref}:{expected}"
    ended = repository.speak(
        "push", "--porcelain", "--no-verify", *given, lease, REMOTE_NAME, f"{commit}:{ref}", time_left=time_left
    )
    said = list(remote_messages(ended.lines))
    rows = [line.split("\t") for line in ended.output.decode("utf-8", "replace").splitlines() if "\t" in line]
    row = next((row for row in rows if len(row) > 2), None)
    if ended.status == 0 and row is not None:
        return Pushed(PushStatus.OK, unchanged=row[0] == "=", said=said)
    if row is None or row[0] != "!":
        raise remote_error(ended)
    reason = row[2]
    if "remote failed to report" in reason or "remote failure" in reason:
        raise RemoteError(reason, RemoteErrorKind.BROKEN, ended.lines, ended.status)
    # What the other side says counts only where it could not write the ref: a hook could say anything.
    told = "\n".join([reason, *said]) if _NOT_WRITTEN.search(reason) else reason
    if clash := _CLASH.search(told):
        return Pushed(PushStatus.REJECTED, reason=reason, said=said, clash=(branch, clash[1]))
    if _MOVED.search(told):
        return Pushed(PushStatus.STALE, reason=reason, said=said)
    if _NOT_WRITTEN.search(reason) and "refname conflict" not in reason:
        raise RefLocked(reason, RemoteErrorKind.BUSY, ended.lines, ended.status)
    return Pushed(PushStatus.REJECTED, reason=reason, said=said)
