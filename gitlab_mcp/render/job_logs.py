"""Render job logs: a part of the log, and the arguments that get more of it."""

import re
from collections import deque
from collections.abc import Iterable, Sequence

from gitlab_mcp.api.job_logs.pattern import SEARCHED_CHARACTERS, LogPattern
from gitlab_mcp.api.job_logs.reading import LINE_CHARACTERS, Log, LogLine
from gitlab_mcp.render.markdown import ANSWER_BYTES, count, facts, fence, size
from gitlab_mcp.render.pipelines import of_older, word
from gitlab_mcp.safety.sanitize import escape_invisible, one_line

SCRIPT_LINES = 60  # at most, of the output of the command that failed
LAST_LINES = 15  # after the script
TAIL = 60  # lines at the end of a log in which no command failed
ERRORS = 15  # lines before the part shown that look like errors
ERROR_CHARACTERS = 400  # the part of a line in which such words are looked for
PART_BYTES = 8_000
WHOLE_LOG_BYTES = ANSWER_BYTES - 3_000
LINE_WAS_CUT = f"Lines that end in … are cut: start_line shows {LINE_CHARACTERS:,} characters, the job's page all."
MATCHES_BYTES = 16_000
# Words in the output of a program that failed; "0 errors" and "no errors" mean that it did not.
ERROR = re.compile(
    r"(?<!\b0 )(?<!\bno )\b(?:\w*error|fail(?:ed|ure|ures)?|fatal|\w*exception|traceback|panic(?:ked)?|undefined|"
    r"cannot|denied|not found|segmentation fault|killed|timed out)\b",
    re.IGNORECASE,
)


def failure(log: Log) -> str:
    """Render where the script of a job failed: its command, lines that look like errors, and the end.

    For a job that did not fail, or not in its script, it is only the end.
    """
    command: LogLine | None = None
    script: deque[LogLine] = deque(maxlen=SCRIPT_LINES)
    last: deque[LogLine] = deque(maxlen=TAIL)
    errors: list[LogLine] = []
    total = 0
    for line in log.lines:
        total = line.number
        last.append(line)
        if not line.in_script:
            continue
        script.append(line)
        if line.text.startswith("$ "):
            command, errors = line, []
        elif len(errors) < ERRORS and ERROR.search(line.text[:ERROR_CHARACTERS]):
            errors.append(line)
    if log.job.text("status") != "failed" or command is None:
        return _whole(log, total, [("The end:", list(last))])
    output = _fitting([line for line in script if line.number > command.number])
    first = output[0].number if output else command.number
    earlier = [line for line in errors if line.number < first]
    after = [line for line in list(last)[-LAST_LINES:] if line.number > script[-1].number]
    parts: list[tuple[str, Sequence[LogLine]]] = [
        (f"The command that failed, line {command.number}: {one_line(command.text[2:], 300)}", [])
    ]
    parts += [("Lines before that look like errors:", earlier)] if earlier else []
    parts += [
        ("Its output:" if first == command.number + 1 else "The end of its output:", output),
        ("After it:", after),
    ]
    return _whole(log, total, parts)


def matches(log: Log, pattern: LogPattern, context: int, start: int, end: int) -> str:
    """Render the lines from `start` to `end` (0: the last) that match, as many as fit.

    Each match has up to `context` lines before and after it.
    """
    rows: list[str] = []
    before: deque[LogLine] = deque(maxlen=context)
    used = total = matching = longer = after = shown = unshown = 0
    for line in log.lines:
        total = line.number
        if line.number < start or (end and line.number > end):
            continue
        is_match = pattern.is_in(line.text)
        matching += is_match
        longer += not is_match and len(line.text) > SEARCHED_CHARACTERS
        after = context if is_match else after - 1
        new = [*(each for each in before if each.number > shown), line] if is_match else [line]
        before.append(line)
        if unshown or (not is_match and after < 0):
            continue
        gap = ["..."] if shown and new[0].number > shown + 1 else []
        new_rows = [*map(_row, new)]
        used += sum(size(row) + 1 for row in new_rows)
        if used > MATCHES_BYTES and rows:
            unshown = new[0].number
            continue
        rows += [*gap, *new_rows]
        shown = line.number
    if not total:
        return _empty(log)
    number = f"{count(matching, 'match')}" + (" in the lines from start_line to end_line" if start > 1 or end else "")
    head = facts(_head(log, total), number)
    if longer:
        limit = f"Searched only the first {SEARCHED_CHARACTERS:,} characters of a line: {count(longer, 'other line')}"
        head += f"\n{limit} {'is' if longer == 1 else 'are'} longer."
    if not rows:
        return f"{head}\nnext: another grep, or start_line and end_line"
    rest = f"\nnext: the same call with start_line {unshown}" if unshown else ""
    return _with_cuts(f"{head}\n{fence(chr(10).join(rows))}{rest}", rows)


def part(log: Log, start: int, end: int) -> str:
    """Render the lines `start` to `end` (0: the last), as many as fit."""
    rows: list[str] = []
    used = total = last = 0
    is_full = False
    for line in log.lines:
        total = line.number
        if line.number < start or (end and line.number > end) or is_full:
            continue
        row = _row(line, LINE_CHARACTERS)
        used += size(row) + 1
        if used > WHOLE_LOG_BYTES:
            is_full = True
            continue
        rows.append(row)
        last = line.number
    if not total:
        return _empty(log)
    if not rows:
        return f"{_head(log, total)}\nstart_line {start} is after its end."
    more = f"\nnext: the same call with start_line {last + 1}" if is_full else ""
    head = facts(_head(log, total), f"lines {start}-{last}")
    return _with_cuts(f"{head}\n{fence(chr(10).join(rows))}{more}", rows)


def _whole(log: Log, total: int, parts: Sequence[tuple[str, Sequence[LogLine]]]) -> str:
    """Render the parts of a log that are worth reading first, and how to get the rest."""
    if not total:
        return _empty(log)
    texts = [_head(log, total)]
    shown: list[str] = []
    for title, lines in parts:
        kept = [_row(line) for line in _fitting(lines)]
        shown += kept
        if kept:
            texts.append(f"{title}\n{fence(chr(10).join(kept))}")
        elif title.startswith("The command"):
            texts.append(title)
    if len(shown) < total:
        texts.append("next: the same call with grep, or with start_line and end_line")
    return _with_cuts("\n".join(texts), shown)


def _empty(log: Log) -> str:
    return f"{_head(log, 0)}\nThe log is empty: the job has not started, or its log was erased."


def _with_cuts(answer: str, rows: Iterable[str]) -> str:
    """Return the answer; if any of its rows is cut, with a remark under the title on how to see whole lines."""
    title, _, rest = answer.partition("\n")
    return f"{title}\n{LINE_WAS_CUT}\n{rest}" if any(row.endswith("…") for row in rows) else answer


def _head(log: Log, total: int) -> str:
    job = log.job
    status = ": ".join(filter(None, (word(job.text("status")), word(job.text("failure_reason")))))
    return facts(
        f"# Log of job {job.number('id')} {one_line(job.text('name'), 255)} ({status})",
        count(total, "line"),
        f"its pipeline is {of_older(log.ahead)}" if log.ahead else "",
        job.url("web_url"),
    )


def _fitting(lines: Sequence[LogLine]) -> list[LogLine]:
    """Return as many of the last lines as fit into PART_BYTES."""
    used, kept = 0, list[LogLine]()
    for line in reversed(lines):
        used += size(_row(line)) + 1
        if used > PART_BYTES and kept:
            break
        kept.append(line)
    return kept[::-1]


def _row(line: LogLine, characters: int = 400) -> str:
    """Return a line behind its number, which start_line and end_line take."""
    text = escape_invisible(line.text)
    return f"{line.number}\t{text if len(text) <= characters else f'{text[: characters - 1]}…'}"
