"""Render test reports: counts, and the failed cases with their output."""

import json
from collections.abc import Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.pipelines import PipelinePath, Report
from gitlab_mcp.errors import naming
from gitlab_mcp.render.markdown import count, cut, facts, quote_plain, share, size
from gitlab_mcp.render.pipelines import duration, of_older
from gitlab_mcp.safety.sanitize import ANSI, one_line

# Together well below ANSWER_BYTES: text that is cut from the end of an answer is on no other page either.
CASES, NAME_BYTES = 20, 10_000
OUTPUT_BYTES, CASE_BYTES = 20_000, 4_000
SUITES, SUITE_BYTES = 60, 6_000
FAILED_STATUSES = ("failed", "error")


def test_report(where: PipelinePath, found: Report, search: str, page: int) -> str:
    """Render the counts of all suites, and a page of the failed cases whose name, class or file contains `search`."""
    report = found.report
    suites = report.entities("test_suites")
    numbers = report if found.cases else report.entity("total")
    total = numbers.number("total_count" if found.cases else "count")
    older = f", {of_older(where.ahead)}" if where.ahead else ""
    if not suites:
        return (
            f"# Pipeline {where.id}{older} has no test report: none of its jobs uploaded one (artifacts:reports:junit)"
        )
    lines = [f"# Tests of pipeline {where.id}{older}: {count(total, 'case')}", *_suites(suites)]
    if not found.cases:
        log = naming(": {} shows those that failed", "get_job_log")
        return "\n".join([*lines, f"There are too many cases to read{log}."])
    return "\n".join([*lines, *_cases(where, suites, search, page)])


def _suites(suites: Sequence[Entity]) -> list[str]:
    """Return a row for each suite; if there are too many, only the failed ones, as many as fit."""
    rows = [_suite_row(suite) for suite in suites]
    if len(rows) > SUITES or size("\n".join(rows)) > SUITE_BYTES:
        failed = [row for suite, row in zip(suites, rows, strict=True) if _failed(suite) or suite.text("suite_error")]
        rows = failed[: _fitting(failed[:SUITES], SUITE_BYTES)]
    return [*rows, f"and {count(len(suites) - len(rows), 'more suite')}"] if len(rows) < len(suites) else rows


def _fitting(rows: Sequence[str], limit: int) -> int:
    """Return how many of the first rows fit into `limit` bytes; at least one, even if it alone is too long."""
    used = 0
    for index, row in enumerate(rows):
        used += size(row) + 1
        if used > limit:
            return max(1, index)
    return len(rows)


def _failed(suite: Entity) -> int:
    return suite.number("failed_count") + suite.number("error_count")


def _suite_row(suite: Entity) -> str:
    numbers = [(suite.number(f"{status}_count"), status) for status in ("failed", "error", "success", "skipped")]
    counted = ", ".join(f"{number} {status}" for number, status in numbers if number)
    return facts(
        f"{one_line(suite.text('name'), 255)}: {counted or 'no case'}",
        duration(_seconds(suite, "total_time")),
        one_line(suite.text("suite_error"), 500),
    )


def _cases(where: PipelinePath, suites: Sequence[Entity], search: str, page: int) -> list[str]:
    chosen = [
        (suite, case)
        for suite in suites
        for case in suite.entities("test_cases")
        if case.text("status") in FAILED_STATUSES and search.lower() in _searched(case)
    ]
    if not chosen:
        return [_none(suites, search)]
    number, begin, rows = _page(chosen, page)
    if number < page:
        return [f"There is no page {page} of {count(len(chosen), 'failed case')}: the last is {number}."]
    end = begin + len(rows)
    outputs = share(
        [quote_plain(text) if (text := _output(case)) else "" for _, case in chosen[begin:end]], OUTPUT_BYTES
    )
    lines = [f"\n## {count(len(chosen), 'failed case')}{f', page {page}' if page > 1 else ''}"]
    for row, output in zip(rows, outputs, strict=True):
        lines.append(row)
        if output:
            lines.append(cut(output, CASE_BYTES, naming("{} has the rest", "get_job_log")))
    if end < len(chosen):
        arguments = {"pipeline_id": where.id, **({"search": search} if search else {}), "page": page + 1}
        lines.append(f"next: get_test_report {json.dumps(arguments, ensure_ascii=False)}")
    return lines


def _none(suites: Sequence[Entity], search: str) -> str:
    if search:
        return f'No failed case contains "{one_line(search, 100)}".'
    if any(suite.text("suite_error") for suite in suites):
        return "No case is known to have failed, but not every report could be read."
    return "No case failed."


def _page(chosen: Sequence[tuple[Entity, Entity]], page: int) -> tuple[int, int, list[str]]:
    """Return the number of a page, the index of its first case, and the rows that fit. After the end, the last page."""
    number, begin = 0, 0
    while True:
        number += 1
        rows = [_case_row(suite, case) for suite, case in chosen[begin : begin + CASES]]
        rows = rows[: _fitting(rows, NAME_BYTES)]
        if number == page or begin + len(rows) >= len(chosen):
            return number, begin, rows
        begin += len(rows)


def _searched(case: Entity) -> str:
    return "\n".join(case.text(key) for key in ("name", "classname", "file")).lower()


def _case_row(suite: Entity, case: Entity) -> str:
    name = one_line(case.text("name"), 300)
    return facts(
        f"### {name}{' (error)' if case.text('status') == 'error' else ''}",
        one_line(case.text("file") or case.text("classname"), 300),
        one_line(suite.text("name"), 255),
        duration(_seconds(case, "execution_time")),
    )


def _output(case: Entity) -> str:
    """Return the output of a case and its stack trace. GitLab gives a text, for some reports an object of texts."""
    output = case.text("system_output") or "\n".join(
        case.text("system_output", key) for key in case.names("system_output") if case.text("system_output", key)
    )
    trace = case.text("stack_trace")
    return ANSI.sub("", "\n".join(part for part in (output, trace if trace not in output else "") if part)).strip("\n")


def _seconds(entity: Entity, key: str) -> float:
    try:
        return float(entity.text(key) or 0)
    except ValueError:
        return 0.0
