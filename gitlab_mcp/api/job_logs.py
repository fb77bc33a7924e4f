"""The log of a job, line by line, as a person sees it: without terminal codes, section markers and time stamps.

GitLab serves a log whole: no version knows ranges, and `byte_offset` and `byte_limit` only the newest (19.3). So it is
read to its end as a stream and looked at once; what is kept of it is small.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.pipelines import PipelinePath, first_failed_job
from gitlab_mcp.call import current_call
from gitlab_mcp.render.sanitise import ANSI

# https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
SECTION = re.compile(r"section_(start|end):\d+:([\w.-]+)(?:\[[^\]\r]*\])?\r")
# The runner's FF_TIMESTAMPS: time, stream, and whether the line goes on where the one before stopped.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[EO]([+ ])")
CONCEALED = re.compile(r"\x1b\[0?8m[^\x1b]*")  # what terminals, and GitLab's page, do not show
LINE_BYTES = 8_000
LOOK = 8  # lines after which the clock is looked at
LINE_CHARACTERS = 2_000

# The section in which the runner runs the script of a job; newer runners say the first.
SCRIPTS = ("step_script", "build_script")


@dataclass(frozen=True)
class Line:
    """A line by its number, from 1; `in_script` is whether the script of the job printed it."""

    number: int
    text: str
    in_script: bool


def read_log(gitlab: GitLab, project: str, number: int) -> tuple[Entity, Iterator[Line]]:
    """A job of the project at an API path, and the lines of its log."""
    pieces = gitlab.start(gitlab.stream, f"{project}/jobs/{number}/trace")
    job = gitlab.get(f"{project}/jobs/{number}")
    return job, _in_time(lines_of(pieces.result()))


def read_first_failed(gitlab: GitLab, where: PipelinePath) -> tuple[Entity, Iterator[Line]]:
    """The same of the first job that failed in a pipeline."""
    job = first_failed_job(gitlab, where)
    pieces = gitlab.stream(f"{where.project}/jobs/{job.number('id')}/trace")
    return job, _in_time(lines_of(pieces))


def _in_time(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines. Raises Unreachable when the time of the call is over, however long each is looked at."""
    call = current_call.get()
    for line in lines:
        if line.number % LOOK == 0:
            call.remaining()
        yield line


def lines_of(pieces: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a log that comes in pieces. What holds nothing but codes and markers is no line."""
    in_script = False
    number = 0
    for raw in _joined(_split(pieces)):
        for kind, name in SECTION.findall(raw) if "section_" in raw else ():
            if name in SCRIPTS:
                in_script = kind == "start"
        text = _plain(raw)
        if text or not raw.strip("\r"):
            number += 1
            yield Line(number, text, in_script)


def _split(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends, each in at most LINE_BYTES."""
    rest, is_cut = b"", False
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        for line in whole:
            if not is_cut:
                yield (rest + line)[:LINE_BYTES].decode("utf-8", "replace")
            rest, is_cut = b"", False
        if not is_cut:
            rest += last
            if len(rest) > LINE_BYTES:
                yield rest[:LINE_BYTES].decode("utf-8", "replace")
                rest, is_cut = b"", True
    if rest:
        yield rest.decode("utf-8", "replace")


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Lines without time stamps, those that go on joined."""
    held: str | None = None
    for line in lines:
        stamp = TIMESTAMP.match(line)
        text = line[stamp.end() :] if stamp else line
        if stamp and stamp[1] == "+" and held is not None:
            held = (held + text)[:LINE_BYTES]
            continue
        if held is not None:
            yield held
        held = text
    if held is not None:
        yield held


def _plain(raw: str) -> str:
    """What a terminal shows in the end: of what was written over and over (a progress bar) the last.

    Of a line that is longer than LINE_CHARACTERS one character more is kept, by which that is seen.
    """
    if "section_" in raw:
        raw = SECTION.sub("", raw)
    if "\x1b" in raw or "\x9b" in raw:
        raw = ANSI.sub("", CONCEALED.sub("", raw))
    if "\r" in raw:
        raw = next((part for part in reversed(raw.split("\r")) if part.strip()), "")
    return raw.rstrip()[: LINE_CHARACTERS + 1]
