"""The log of a job, line by line, as a person sees it: without terminal codes, section markers and time stamps.

GitLab serves only whole logs: no version supports range requests, and only the newest (19.3) `byte_offset` and
`byte_limit`. A log is therefore read to its end as a stream, and only a small part is kept.
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
# The runner's FF_TIMESTAMPS: time, stream, and "+" on a line that continues the one before.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[EO]([+ ])")
CONCEALED = re.compile(r"\x1b\[0?8m[^\x1b]*")  # text that terminals, and GitLab's page, do not show
DEADLINE_LINES = 8  # the deadline is checked after so many lines
LINE_CHARACTERS = 2_000
# A line with more than RAW_CHARACTERS, terminal codes included, is reduced to the last two parts between carriage
# returns, and each of these to its first and last characters.
RAW_CHARACTERS, FIRST_CHARACTERS, LAST_CHARACTERS = 32_000, 6_000, 2_000
MARGIN = 2_000  # the longest secret that is found at a cut

# The section in which the runner runs the script of a job; newer runners use the first name.
SCRIPT_SECTIONS = ("step_script", "build_script")


@dataclass(frozen=True)
class LogLine:
    """A line and its number, from 1; `in_script` is whether the script of the job printed it."""

    number: int
    text: str
    in_script: bool


@dataclass(frozen=True)
class Log:
    """The log of a job. `ahead` is that of the PipelinePath by which the job was found."""

    job: Entity
    lines: Iterator[LogLine]
    ahead: str = ""


def read_log(gitlab: GitLab, project: str, number: int) -> Log:
    """The log of the job `number` of the project at the API path `project`."""
    pieces = gitlab.start(gitlab.stream, f"{project}/jobs/{number}/trace")
    job = gitlab.get(f"{project}/jobs/{number}")
    return Log(job, _before_deadline(lines_of(pieces.result())))


def read_first_failed(gitlab: GitLab, where: PipelinePath) -> Log:
    """The log of the first failed job of a pipeline. Raises NotFound where no job failed."""
    job = first_failed_job(gitlab, where)
    pieces = gitlab.stream(f"{where.project}/jobs/{job.number('id')}/trace")
    return Log(job, _before_deadline(lines_of(pieces)), where.ahead)


def _before_deadline(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """The same lines. Raises Unreachable after the deadline of the call, since a search may be slow."""
    call = current_call.get()
    for line in lines:
        if line.number % DEADLINE_LINES == 0:
            call.remaining()
        yield line


def lines_of(pieces: Iterable[bytes]) -> Iterator[LogLine]:
    """The lines of a log that arrives in chunks. Those with only terminal codes and section markers are left out."""
    in_script = False
    number = 0
    for raw in _joined(_split(pieces)):
        for kind, name in SECTION.findall(raw) if "section_" in raw else ():
            if name in SCRIPT_SECTIONS:
                in_script = kind == "start"
        text = _plain(raw)
        if text or not raw.strip("\r"):
            number += 1
            yield LogLine(number, text, in_script)


def _split(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines without their newlines, each shortened."""
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
    """The lines without time stamps, each joined with the lines that continue it."""
    pending: str | None = None
    for line in lines:
        stamp = TIMESTAMP.match(line)
        text = line[stamp.end() :] if stamp else line
        if stamp and stamp[1] == "+" and pending is not None:
            pending = _shortened(pending + text)
            continue
        if pending is not None:
            yield pending
        pending = text
    if pending is not None:
        yield pending


def _shortened(line: str) -> str:
    """A line, or the beginning of one; a long one keeps its last section marker of a script, and its end.

    Of the parts between carriage returns the last two are kept: the last one may be an incomplete terminal code or
    marker, which shows nothing.
    """
    if len(line) <= RAW_CHARACTERS:
        return line
    stamp = TIMESTAMP.match(line)
    body = line[stamp.end() :] if stamp else line
    markers = [marker[0] for marker in SECTION.finditer(body) if marker[2] in SCRIPT_SECTIONS]
    # The code for concealed text stays, since that text may continue after the cut.
    parts = CONCEALED.sub("\x1b[8m", SECTION.sub("", body)).split("\r")
    visible = [index for index, part in enumerate(parts) if ANSI.sub("", part).strip()][-2:]
    kept = [_cut(parts[index]) for index in visible]
    ended = [""] if visible and visible[-1] < len(parts) - 1 else []
    return "".join([stamp[0] if stamp else "", *markers[-1:], "\r".join([*kept, *ended])])


def _cut(part: str) -> str:
    if len(part) <= FIRST_CHARACTERS + LAST_CHARACTERS + 1:
        return part
    last = redacted(part[-LAST_CHARACTERS - MARGIN :])[MARGIN:]  # its first MARGIN may begin inside a secret
    return f"{_beginning(part, FIRST_CHARACTERS)}{last}"


def _beginning(text: str, characters: int) -> str:
    """The first characters of a text, and "…" where it has more. A secret at the cut is redacted first."""
    if len(text) <= characters:
        return text
    clean = redacted(text[: characters + MARGIN])
    if len(text) > characters + MARGIN:
        return f"{clean[:-MARGIN]}…"  # the last MARGIN may end inside a secret
    return clean if len(clean) <= characters else f"{clean[:characters]}…"


def _plain(raw: str) -> str:
    """The text that a terminal shows in the end: the last one of those that overwrite each other (a progress bar).

    A line that is longer than LINE_CHARACTERS is cut to one character more, "…", which shows that it was cut.
    """
    if "section_" in raw:
        raw = SECTION.sub("", raw)
    if "\x1b" in raw or "\x9b" in raw:
        raw = ANSI.sub("", CONCEALED.sub("", raw))
    if "\r" in raw:
        raw = next((part for part in reversed(raw.split("\r")) if part.strip()), "")
    return _beginning(raw.rstrip(), LINE_CHARACTERS)
