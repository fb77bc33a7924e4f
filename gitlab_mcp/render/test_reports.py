"""Test reports as an agent reads them: counts, and what failed with what it said."""

import json
from collections.abc import Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.pipelines import PipelinePath, Report
from gitlab_mcp.render.pipelines import duration
from gitlab_mcp.render.sanitise import ANSI, one_line
from gitlab_mcp.render.text import count, cut, facts, quote, share

CASES = 20
OUTPUT_BYTES = 24_000
CASE_BYTES = 4_000
SUITES = 60
FAILED = ("failed", "error")


def test_report(where: PipelinePath, found: Report, search: str, page: int) -> str:
    """The counts of all suites, and a page of the failed cases whose name, class or file contains `search`."""
    report = found.report
    suites = report.entities("test_suites")
    numbers = report if found.cases else report.entity("total")
    total = numbers.number("total_count" if found.cases else "count")
    if not suites:
        return f"# Pipeline {where.id} has no test report: no job of it gave one (artifacts:reports:junit)"
    bad = [suite for suite in suites if _failed(suite) or suite.text("suite_error")]
    said = [_suite_row(suite) for suite in (bad if len(suites) > SUITES else suites)[:SUITES]]
    lines = [f"# Tests of pipeline {where.id}: {count(total, 'case')}", *said]
    if len(said) < len(suites):
        lines.append(f"and {count(len(suites) - len(said), 'more suite')}")
    if not found.cases:
        return "\n".join([*lines, "The cases are too many to be read: get_job_log shows those that failed."])
    return "\n".join([*lines, *_cases(where, suites, search, page)])


def _failed(suite: Entity) -> int:
    return suite.number("failed_count") + suite.number("error_count")


def _suite_row(suite: Entity) -> str:
    numbers = [(suite.number(f"{status}_count"), status) for status in ("failed", "error", "success", "skipped")]
    counted = ", ".join(f"{number} {status}" for number, status in numbers if number)
    return facts(
        f"{one_line(suite.text('name'), 255)}: {counted}",
        duration(_seconds(suite, "total_time")),
        one_line(suite.text("suite_error"), 500),
    )


def _cases(where: PipelinePath, suites: Sequence[Entity], search: str, page: int) -> list[str]:
    chosen = [
        (suite, case)
        for suite in suites
        for case in suite.entities("test_cases")
        if case.text("status") in FAILED and search.lower() in _searched(case)
    ]
    shown = chosen[(page - 1) * CASES : page * CASES]
    if not chosen:
        return [f'No failed case contains "{one_line(search, 100)}".' if search else "No case failed."]
    outputs = share([quote(_output(case)) if _output(case) else "" for _, case in shown], OUTPUT_BYTES)
    lines = [f"\n## {count(len(chosen), 'failed case')}{f', page {page}' if page > 1 else ''}"]
    for (suite, case), output in zip(shown, outputs, strict=True):
        lines.append(_case_row(suite, case))
        if output:
            lines.append(cut(output, CASE_BYTES, "get_job_log has the rest"))
    if page * CASES < len(chosen):
        given = {"pipeline_id": where.id, **({"search": search} if search else {}), "page": page + 1}
        lines.append(f"next: get_test_report {json.dumps(given, ensure_ascii=False)}")
    return lines


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
    """What a case said. GitLab gives a text, and for some reports an object of texts."""
    said = case.text("system_output") or "\n".join(
        case.text("system_output", key) for key in case.names("system_output") if case.text("system_output", key)
    )
    trace = case.text("stack_trace")
    return ANSI.sub("", "\n".join(part for part in (said, trace if trace not in said else "") if part)).strip("\n")


def _seconds(entity: Entity, key: str) -> float:
    try:
        return float(entity.text(key) or 0)
    except ValueError:
        return 0.0
