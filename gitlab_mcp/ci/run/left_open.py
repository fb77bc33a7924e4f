"""The record of a run that has not ended yet: by it `run --finish` closes what a killed run has left open.

It is a file of this user in the folder for temporary files, from the start of the run to its end.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gitlab_mcp.api.tracking_note import NotePlace
from gitlab_mcp.config.environment import variable

RECORD_BYTES = 1_000_000
NOTEABLE = re.compile(
    r"/projects/[\w.%-]+/((issues|merge_requests)/[0-9]{1,18}|repository/commits/[0-9a-f]{40,64})", re.ASCII
)
THREAD = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True)
class OpenRun:
    """A run that has begun: its name, when (in seconds since the epoch), and where its note stands, if anywhere.

    `text` is the last text of the note, of a run that ended and could not write it.
    """

    run: str
    began: float
    place: NotePlace | None
    text: str = ""


def record_path(environ: Mapping[str, str]) -> Path | None:
    """The file of this job's run; None outside of a job, where nothing comes after a run."""
    job = variable(environ, "CI_JOB_ID")
    return Path(tempfile.gettempdir()) / f"gitlab-mcp-run-{job}.json" if re.fullmatch(r"[0-9]+", job) else None


def write_record(path: Path, opened: OpenRun) -> None:
    """Write the record. Where that is not possible there is none, and a killed run stays open."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(opened), file)


def read_record(path: Path) -> OpenRun | None:
    """The record, None where there is none, or it is another user's, or not as `write_record` writes it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                return None
            content = json.loads(file.read(RECORD_BYTES))
        place = content.pop("place")
        opened = OpenRun(**content, place=NotePlace(**place) if place else None)
        is_valid = isinstance(opened.began, int | float) and {type(opened.run), type(opened.text)} == {str}
        if opened.place:  # a command of the agent could have written it
            is_valid &= bool(NOTEABLE.fullmatch(opened.place.noteable) and THREAD.fullmatch(opened.place.thread))
            is_valid &= isinstance(opened.place.mention, int)
        return opened if is_valid else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
