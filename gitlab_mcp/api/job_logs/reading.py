"""The log of a job, line by line, as a person sees it: without terminal codes, section markers and time stamps.

GitLab serves a log whole: no version knows ranges, and `byte_offset` and `byte_limit` only the newest (19.3). So it is
read to its end as a stream and looked at once; what is kept of it is small.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.pipelines import PipelinePath, first_failed_job
from gitlab_mcp.safety.redact import redacted
from gitlab_mcp.safety.sanitize import ANSI

# https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
SECTION = re.compile(r"section_(start|end):\d+:([\w.-]+)(?:\[[^\]\r]*\])?\r")
# The runner's FF_TIMESTAMPS: time, stream, and whether the line goes on where the one before stopped.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[EO]([+ ])")
CONCEALED = re.compile(r"\x1b\[0?8m[^\x1b]*")  # what terminals, and GitLab's page, do not show
LOOK = 8  # lines after which the clock is looked at
LINE_CHARACTERS = 2_000
# Of a line with more than RAW_CHARACTERS, codes and all, the last two things written are kept: FIRST and LAST of each.
RAW_CHARACTERS, FIRST_CHARACTERS, LAST_CHARACTERS = 32_000, 6_000, 2_000
MARGIN = 2_000  # as long as a secret may be

# The section in which the runner runs the script of a job; newer runners say the first.
SCRIPTS = ("step_script", "build_script")


@dataclass(frozen=True)
class LogLine:
    """A line by its number, from 1; `in_script` is whether the script of the job printed it."""

    number: int
    text: str
    in_script: bool


@dataclass(frozen=True)
class Log:
    """The log of a job. `ahead` is as of the pipeline that it was found by."""

    job: Entity
    lines: Iterator[LogLine]
    ahead: str = ""


def read_log(gitlab: GitLab, project: str, number: int) -> Log:
    """The log of a job of the project at an API path."""
    pieces = gitlab.start(gitlab.stream, f"{project}/jobs/{number}/trace")
    job = gitlab.get(f"{project}/jobs/{number}")
    return Log(job, _in_time(lines_of(pieces.result())))


def read_first_failed(gitlab: GitLab, where: PipelinePath) -> Log:
    """The log of the first job that failed in a pipeline."""
    job = first_failed_job(gitlab, where)
    pieces = gitlab.stream(f"{where.project}/jobs/{job.number('id')}/trace")
    return Log(job, _in_time(lines_of(pieces)), where.ahead)


def _in_time(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """The lines. Raises Unreachable when the time of the call is over, however long each is looked at."""
    call = current_call.get()
    for line in lines:
        if line.number % LOOK == 0:
            call.remaining()
        yield line


def lines_of(pieces: Iterable[bytes]) -> Iterator[LogLine]:
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
            yield LogLine(number, text, in_script)


def _split(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends, each shortened."""
    decoder = getincrementaldecoder("utf-8")("replace")
    rest = ""
    for piece in pieces:
        *whole, last = decoder.decode(piece).split("\n")
        for line in whole:
            yield _shortened(rest + line)
            rest = ""
        rest = _shortened(rest + last)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Lines without time stamps, those that go on joined."""
    held: str | None = None
    for line in lines:
        stamp = TIMESTAMP.match(line)
        text = line[stamp.end() :] if stamp else line
        if stamp and stamp[1] == "+" and held is not None:
            held = _shortened(held + text)
            continue
        if held is not None:
            yield held
        held = text
    if held is not None:
        yield held


def _shortened(line: str) -> str:
    """A line, or the beginning of one; of a long one the marker that says whether it is in a script, and its end.

    Of what was written over and over two parts are left: the last may be half a code or marker, which shows nothing.
    """
    if len(line) <= RAW_CHARACTERS:
        return line
    stamp = TIMESTAMP.match(line)
    body = line[stamp.end() :] if stamp else line
    markers = [marker[0] for marker in SECTION.finditer(body) if marker[2] in SCRIPTS]
    # The code stays where the concealed text may go on.
    parts = CONCEALED.sub("\x1b[8m", SECTION.sub("", body)).split("\r")
    shown = [index for index, part in enumerate(parts) if ANSI.sub("", part).strip()][-2:]
    kept = [_cut(parts[index]) for index in shown]
    ended = [""] if shown and shown[-1] < len(parts) - 1 else []
    return "".join([stamp[0] if stamp else "", *markers[-1:], "\r".join([*kept, *ended])])


def _cut(part: str) -> str:
    if len(part) <= FIRST_CHARACTERS + LAST_CHARACTERS + 1:
        return part
    last = redacted(part[-LAST_CHARACTERS - MARGIN :])[MARGIN:]  # its first MARGIN may begin inside a secret
    return f"{_beginning(part, FIRST_CHARACTERS)}{last}"


def _beginning(text: str, characters: int) -> str:
    """The first characters and "…" of a text that has more, also where a secret is at its end."""
    if len(text) <= characters:
        return text
    clean = redacted(text[: characters + MARGIN])
    if len(text) > characters + MARGIN:
        return f"{clean[:-MARGIN]}…"  # the last MARGIN may end inside a secret
    return clean if len(clean) <= characters else f"{clean[:characters]}…"


def _plain(raw: str) -> str:
    """What a terminal shows in the end: of what was written over and over (a progress bar) the last.

    Of a line that is longer than LINE_CHARACTERS one character more is there, by which that is seen.
    """
    if "section_" in raw:
        raw = SECTION.sub("", raw)
    if "\x1b" in raw or "\x9b" in raw:
        raw = ANSI.sub("", CONCEALED.sub("", raw))
    if "\r" in raw:
        raw = next((part for part in reversed(raw.split("\r")) if part.strip()), "")
    return _beginning(raw.rstrip(), LINE_CHARACTERS)
