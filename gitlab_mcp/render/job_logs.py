"""Logs of jobs as an agent reads them: never the whole, always with how to get more."""

import re
from collections import deque
from collections.abc import Iterable, Sequence

from gitlab_mcp.api.job_logs.pattern import SEARCHED_CHARACTERS, LogPattern
from gitlab_mcp.api.job_logs.reading import LINE_CHARACTERS, Log, LogLine
from gitlab_mcp.render.markdown import ANSWER_BYTES, count, facts, fence, size
from gitlab_mcp.render.pipelines import of_older, word
from gitlab_mcp.safety.sanitize import escape_invisible, one_line

AROUND, LAST_LINES, TAIL = 60, 15, 60  # lines: where a script failed, after it, and where nothing failed
ERRORS = 15
PART_BYTES = 8_000
WHOLE_LOG_BYTES = ANSWER_BYTES - 3_000
LINE_WAS_CUT = f"start_line shows {LINE_CHARACTERS:,} characters of a line that ends in …, the page of the job all."
FOUND_BYTES = 16_000
# What a line of a program says that failed; counts of nothing ("0 errors") say the opposite.
ERROR = re.compile(
    r"(?<!\b0 )(?<!\bno )\b(?:\w*error|fail(?:ed|ure|ures)?|fatal|\w*exception|traceback|panic(?:ked)?|undefined|"
    r"cannot|denied|not found|segmentation fault|killed|timed out)\b",
    re.IGNORECASE,
)


def failure(log: Log) -> str:
    """Where the script of a job failed: its command, what looks like an error, and the end. Else only the end."""
    command: LogLine | None = None
    script: deque[LogLine] = deque(maxlen=AROUND)
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
        elif len(errors) < ERRORS and ERROR.search(line.text[:SEARCHED_CHARACTERS]):
            errors.append(line)
    if log.job.text("status") != "failed" or command is None:
        return _whole(log, total, [("The end:", list(last))])
    around = _fitting([line for line in script if line.number > command.number])
    first = around[0].number if around else command.number
    earlier = [line for line in errors if line.number < first]
    after = [line for line in list(last)[-LAST_LINES:] if line.number > script[-1].number]
    parts: list[tuple[str, Sequence[LogLine]]] = [
        (f"The command that failed, line {command.number}: {one_line(command.text[2:], 300)}", [])
    ]
    parts += [("Lines before that look like errors:", earlier)] if earlier else []
    parts += [
        ("Its output:" if first == command.number + 1 else "The end of its output:", around),
        ("After it:", after),
    ]
    return _whole(log, total, parts)


def found(log: Log, pattern: LogPattern, around: int, start: int, end: int) -> str:
    """Lines from `start` to `end` (0: the last) that match, with `around` lines before and after, as many as fit."""
    rows: list[str] = []
    before: deque[LogLine] = deque(maxlen=around)
    used = total = matches = longer = after = shown = unshown = 0
    for line in log.lines:
        total = line.number
        if line.number < start or (end and line.number > end):
            continue
        is_match = pattern.is_in(line.text)
        matches += is_match
        longer += not is_match and len(line.text) > pattern.characters
        after = around if is_match else after - 1
        new = [*(each for each in before if each.number > shown), line] if is_match else [line]
        before.append(line)
        if unshown or (not is_match and after < 0):
            continue
        gap = ["..."] if shown and new[0].number > shown + 1 else []
        made = [*map(_row, new)]
        used += sum(size(row) + 1 for row in made)
        if used > FOUND_BYTES and rows:
            unshown = new[0].number
            continue
        rows += [*gap, *made]
        shown = line.number
    if not total:
        return _empty(log)
    matching = f"{count(matches, 'match')}" + (" of the lines asked for" if start > 1 or end else "")
    head = facts(_head(log, total), matching)
    if longer:
        beyond = f"Looked at no more than {pattern.characters:,} characters of a line: {count(longer, 'other line')}"
        head += f"\n{beyond} {'goes' if longer == 1 else 'go'} on after that."
    if not rows:
        return f"{head}\nnext: another grep, or start_line and end_line"
    rest = f"\nnext: the same call with start_line {unshown}" if unshown else ""
    return _with_cuts(f"{head}\n{fence(chr(10).join(rows))}{rest}", rows)


def part(log: Log, start: int, end: int) -> str:
    """Lines `start` to `end` (0: the last), as many as fit."""
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
    """The parts of a log that are worth reading first, and how to get the others."""
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
    return f"{_head(log, 0)}\nThe log is empty: the job has not begun, or its log was erased."


def _with_cuts(answer: str, rows: Iterable[str]) -> str:
    """An answer that says under its title how to see the whole of lines that are cut, where any of its rows is."""
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
    """As many of the last lines as there is room for."""
    used, kept = 0, list[LogLine]()
    for line in reversed(lines):
        used += size(_row(line)) + 1
        if used > PART_BYTES and kept:
            break
        kept.append(line)
    return kept[::-1]


def _row(line: LogLine, characters: int = 400) -> str:
    """A line with its number, by which start_line and end_line ask for it."""
    text = escape_invisible(line.text)
    return f"{line.number}\t{text if len(text) <= characters else f'{text[: characters - 1]}…'}"
