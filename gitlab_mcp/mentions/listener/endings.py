"""How a pipeline ended, in a sentence for the note that no run closed, and what its run cost."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.mention_notes import text_after
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound
from gitlab_mcp.mentions.listener.work import StepWork
from gitlab_mcp.safety.sanitize import one_line

INVALID_CHARACTERS = 300
RESULT_ARTIFACT = "claude-result.json"
PRICE = re.compile(r"· \$(\d[\d,]*\.\d\d)(?: |$)", re.MULTILINE)  # as render.progress writes it
ENDED_STATUSES = ("success", "failed", "canceled", "skipped")
STATUS_TEXTS = {
    "deleted": "The pipeline was deleted before it ended.",
    "canceled": "The pipeline was canceled.",
    "skipped": "The pipeline was skipped, so that nothing ran.",
    "success": "The pipeline ended, and no job of it ran Claude Code.",
    "failed": "The pipeline failed before Claude Code could report.",
    "stopped": "Nothing was started.",
    "given up": "The pipeline did not end within a day and a half.",
}
# https://docs.gitlab.com/api/jobs/ and CommitStatus's enums in GitLab's app/models/concerns/enums/ci/commit_status.rb
FAILURE_TEXTS = {
    "stuck_or_timeout_failure": "No runner took the job: check Settings > CI/CD > Runners.",
    "stale_schedule": "No runner took the job: check Settings > CI/CD > Runners.",
    "no_matching_runner": "No runner took the job: check Settings > CI/CD > Runners.",
    "runner_system_failure": "The runner failed.",
    "runner_unsupported": "The runner is too old for the job.",
    "job_execution_timeout": "The job reached its timeout.",
    "unmet_prerequisites": "The job could not be started, because something that it needs failed.",
    "ci_quota_exceeded": "The compute minutes of the namespace are used up.",
    "script_failure": "The job failed before Claude Code could report: its log says why.",
}


@dataclass(frozen=True)
class PipelineEnd:
    """How a pipeline ended: a key of STATUS_TEXTS, the pipeline's page ("" where it has none any more), and what is
    invalid in its CI configuration."""

    status: str
    web_url: str = ""
    invalid: str = ""

    def values(self) -> dict[str, Any]:
        """The outcome as JSON can hold it."""
        return {"outcome": asdict(self)}

    def text(self, jobs: Sequence[Entity], stopped_by: str) -> str:
        """The note's last text."""
        reasons = (FAILURE_TEXTS.get(job.text("failure_reason"), "") for job in jobs if job.text("status") == "failed")
        parts = (
            f"Stopped by {stopped_by}." if stopped_by else "",
            f"The CI configuration is not valid: {self.invalid}" if self.invalid else "",
            "" if self.invalid else next(filter(None, reasons), "") or STATUS_TEXTS[self.status],
            f"[Pipeline](<{self.web_url}>)" if self.web_url else "",
        )
        return " ".join(filter(None, parts))


def outcome_of(pipeline: Entity) -> PipelineEnd | None:
    """How a pipeline ended; None while it has not."""
    status = pipeline.text("status")
    if status not in ENDED_STATUSES:
        return None
    return PipelineEnd(status, pipeline.url("web_url"), one_line(pipeline.text("yaml_errors"), INVALID_CHARACTERS))


def jobs_of(work: StepWork, pipeline: int) -> list[Entity]:
    """The jobs of a pipeline, retried ones included; none where there is no pipeline. Raises a Failure."""
    if not pipeline:
        return []
    try:
        return work.gitlab.every(f"{work.project_path}/pipelines/{pipeline}/jobs", include_retried="true")
    except NotFound:
        return []


def cost_of(work: StepWork, jobs: Sequence[Entity]) -> float:
    """What the run cost in US dollars: by its artifact, or by its note where GitLab does not show the listener that."""
    costs = [cost for job in jobs if (cost := _recorded_cost(work, job)) is not None]
    if costs:
        return sum(costs)
    with suppress(Failure):
        user = work.service.clients.job_user(work.target)
        text = text_after(work.gitlab, work.place, [str(job.number("id")) for job in jobs], user)
        if match := PRICE.search(text.split("\n", 1)[0]):
            return float(match[1].replace(",", ""))
    return 0.0


def _recorded_cost(work: StepWork, job: Entity) -> float | None:
    try:
        content = work.gitlab.raw(f"{work.project_path}/jobs/{job.number('id')}/artifacts/{RESULT_ARTIFACT}")
        cost = json.loads(content)["cost_usd"]
    except (GitLabRefusal, ValueError, KeyError, TypeError):
        return None
    is_number = isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < float("inf")
    return float(cost) if is_number else None
