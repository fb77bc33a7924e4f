"""Render pipelines and their jobs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, Difference, not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.errors import naming
from gitlab_mcp.render.field_comparison import not_set
from gitlab_mcp.render.markdown import confirmed, count, facts
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.sanitize import one_line

NAMED_JOBS = 20  # jobs of a stage that are named for each of the QUIET statuses
FAILED_JOBS = 50
LINT_MESSAGES = 50  # of errors, and of warnings
QUIET = ("success", "skipped", "created", "manual")


def pipeline_row(pipeline: Entity) -> str:
    """Render a pipeline in a list."""
    return facts(
        f"{pipeline.number('id')} {word(pipeline.text('status'))} {one_line(pipeline.text('ref'), 255)}",
        pipeline.sha("sha")[:8],
        word(pipeline.text("source")),
        pipeline.day("created_at"),
    )


@dataclass(frozen=True)
class View:
    """What to show of a pipeline.

    `own` is whether this run is part of the pipeline, `every` whether all its jobs are named, `ahead` the newer commit
    for which no pipeline ran ("" if there is none), `logs` whether this run can read logs and reports.
    """

    own: bool
    every: bool
    ahead: str
    logs: bool


def pipeline(entity: Entity, jobs: Sequence[Entity], view: View) -> str:
    """Render a pipeline: its status, the failed jobs with the reason, and the other jobs by stage."""
    failed = sorted((job for job in jobs if job.text("status") == "failed"), key=_weight)
    head = [
        f"# Pipeline {entity.number('id')} of {one_line(entity.text('ref'), 255)} ({word(entity.text('status'))})",
        facts(
            f"{word(entity.text('source'))} by {mention(entity.text('user', 'username'))} {entity.day('created_at')}",
            f"commit {entity.sha('sha')[:8]}",
            duration(entity.number("duration")),
            f"jobs: {_counts(jobs)}" if jobs else "no jobs",
            "this run is part of it" if view.own else "",
        ),
        entity.url("web_url"),
    ]
    if view.ahead:
        head.append(f"It is {of_older(view.ahead)}.")
    if errors := one_line(entity.text("yaml_errors"), 1_000):
        head.append(f"the configuration is wrong: {errors}")
    named = failed if view.every else failed[:FAILED_JOBS]
    shown = [_failed_row(job) for job in named]
    if len(named) < len(failed):
        shown.append(f'and {len(failed) - len(named)} more failed (detail: "full")')
    sections = ["\n".join(["## Failed", *shown])] if shown else []
    if others := _stages(jobs, every=view.every):
        sections.append("\n".join(["## Other jobs", *others]))
    return "\n".join([*head, *sections, *_next(entity, failed, view)])


def of_older(ahead: str) -> str:
    """Return the remark on a pipeline that is not of the newest commit, `ahead`."""
    return f"of an older commit: no pipeline ran for {ahead[:8]}, the newest"


def _weight(job: Entity) -> tuple[bool, int]:
    return job.flag("allow_failure"), job.number("id")


def _failed_row(job: Entity) -> str:
    return facts(
        f"{job.number('id')} {one_line(job.text('name'), 255)} ({one_line(job.text('stage'), 255)})",
        word(job.text("failure_reason")) or "no reason given",
        "allowed to fail" if job.flag("allow_failure") else "",
        duration(_seconds(job)),
    )


def _stages(jobs: Sequence[Entity], *, every: bool) -> list[str]:
    """Return a line for each stage with its jobs that did not fail; stages in the order in which jobs were created."""
    stages: dict[str, dict[str, list[str]]] = {}
    for job in sorted(jobs, key=lambda job: job.number("id")):
        status = job.text("status")
        by_status = stages.setdefault(one_line(job.text("stage"), 255), {})
        if status != "failed":
            named = f"{job.number('id')} {one_line(job.text('name'), 255)}"
            by_status.setdefault(word(status), []).append(named)
    return [
        f"{stage}: {'; '.join(_named(status, names, every=every) for status, names in by_status.items())}"
        for stage, by_status in stages.items()
        if by_status
    ]


def _named(status: str, names: Sequence[str], *, every: bool) -> str:
    kept = names if every or status not in QUIET else names[:NAMED_JOBS]
    more = f' and {len(names) - len(kept)} more (detail: "full")' if len(kept) < len(names) else ""
    return f"{status} {', '.join(kept)}{more}"


def _counts(jobs: Iterable[Entity]) -> str:
    numbers: dict[str, int] = {}
    for job in jobs:
        status = word(job.text("status"))
        numbers[status] = numbers.get(status, 0) + 1
    order = sorted(numbers, key=lambda status: (status != "failed", status))
    return ", ".join(f"{numbers[status]} {status}" for status in order)


def _next(entity: Entity, failed: Sequence[Entity], view: View) -> list[str]:
    number, lines = entity.number("id"), []
    is_explained = entity.text("yaml_errors") or not all(job.flag("allow_failure") for job in failed)
    if entity.text("status") == "failed" and not is_explained:
        which = "All failed jobs are allowed to fail" if failed else "None of its own jobs failed"
        lines.append(f"{which}: a downstream pipeline may have failed; the URL above shows it.")
    if failed and view.logs:
        log = naming(f"{{}} {json.dumps({'job_id': failed[0].number('id')})}", "get_job_log")
        report = naming(f"{{}} {json.dumps({'pipeline_id': number})}", "get_test_report")
        lines += [f"next: {' or '.join(filter(None, (log, report)))}"] if log or report else []
    return lines


def started(written: WriteResult[Entity], asked: Asked, lacking: Sequence[str]) -> str:
    """Render the answer of run_pipeline; `lacking` are the names of variables that the pipeline does not have."""
    run = written.result
    answer = f"Started pipeline {run.number('id')} of {one_line(run.text('ref'), 255)} ({word(run.text('status'))})"
    differences = not_taken(asked, run)
    differences += [Difference("variables", ", ".join(lacking))] if lacking else []
    return f"{answer}: {run.url('web_url')}{confirmed(written)}{not_set(differences, 'Developer')}"


def canceled(written: WriteResult[Entity]) -> str:
    """Render the answer of cancel_pipeline, also for a pipeline that had finished before."""
    canceled = written.result
    status = word(canceled.text("status"))
    return f"Pipeline {canceled.number('id')} is {status}: {canceled.url('web_url')}{confirmed(written)}"


def job_started(written: WriteResult[Entity], before: int) -> str:
    """Render the answer of retry_job; `before` is the id of the job that was retried."""
    job = written.result
    name, status = one_line(job.text("name"), 255), word(job.text("status"))
    return f"Retried job {before} as {job.number('id')} ({name}, {status}): {job.url('web_url')}{confirmed(written)}"


def lint_result(result: Entity, source: str) -> str:
    """Render the answer of lint_ci_config: errors, warnings, and the jobs by stage."""
    errors, warnings = result.texts("errors"), result.texts("warnings")
    rows = [f"error: {one_line(error, 500)}" for error in errors[:LINT_MESSAGES]]
    rows += [f"warning: {one_line(warning, 500)}" for warning in warnings[:LINT_MESSAGES]]
    stages: dict[str, list[str]] = {}
    for job in result.entities("jobs"):
        stages.setdefault(one_line(job.text("stage"), 255), []).append(one_line(job.text("name"), 255))
    rows += [f"{stage}: {_named('jobs', names, every=True)}" for stage, names in stages.items()]
    verdict = "valid" if result.flag("valid") else f"not valid, {count(len(errors), 'error')}"
    return "\n".join([f"# {source}: {verdict}", *rows])


def word(value: str) -> str:
    """Return a status or a reason in words: "script failure" for script_failure."""
    return one_line(value.replace("_", " "), 60)


def duration(seconds: float) -> str:
    """Return a duration for people: 45 s, 3 min 20 s; "" for none."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else ""
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _seconds(job: Entity) -> float:
    try:
        return float(job.text("duration") or 0)
    except ValueError:
        return 0.0
