"""Plans the steps of a setup and applies them: each is read back, and one that fails leaves the others standing."""

from collections.abc import Callable, Iterator, Sequence

from gitlab_mcp.api.deadline import limited
from gitlab_mcp.config.settings import SettingsError
from gitlab_mcp.errors import Failure
from gitlab_mcp.setup.plan import (
    Blocked,
    InPlace,
    Outcome,
    PlannedChange,
    PlannedStep,
    SetupError,
    SetupPlan,
    StepResult,
)
from gitlab_mcp.setup.providers import instructions
from gitlab_mcp.setup.step import SetupContext, SetupStep

AGAIN = "Fix that, then run setup again: it goes on from here."


def plan_of(steps: Sequence[SetupStep], setup: SetupContext, *, undo: bool = False) -> SetupPlan:
    """What the steps would change; those that are taken back are looked at in the opposite order."""
    facts = setup.facts
    ordered = [*reversed(steps)] if undo else steps
    planned = [PlannedStep(step.id, _looked(step, setup, undo)) for step in ordered]
    url = setup.gitlab.settings.url
    where = f"{facts.path} on {url} as @{facts.user}"
    if undo:
        return SetupPlan(f"Take back the setup of {where}", planned)
    return SetupPlan(f"Set up {where}", planned, facts.notes, instructions(setup.options, facts, url))


def applied(
    plan: SetupPlan,
    steps: Sequence[SetupStep],
    setup: SetupContext,
    agrees: Callable[[str], bool],
    *,
    undo: bool = False,
) -> Iterator[StepResult]:
    """Apply the changes of a plan in its order, and yield how each step ended. `agrees` asks a question of its own."""
    by_id = {step.id: step for step in steps}
    missing: dict[str, str] = {}
    for planned in plan.steps:
        step = by_id[planned.step]
        result = _applied(step, planned.outcome, setup, agrees, missing, undo)
        if result.status not in ("done", "in place"):
            missing[step.id] = result.what
        yield result


def _applied(
    step: SetupStep,
    outcome: Outcome,
    setup: SetupContext,
    agrees: Callable[[str], bool],
    missing: dict[str, str],
    undo: bool,
) -> StepResult:
    if isinstance(outcome, InPlace):
        return StepResult(step.id, "in place", outcome.what, url=outcome.url)
    if isinstance(outcome, Blocked):
        return StepResult(step.id, "blocked", outcome.reason, outcome.remedy)
    if not undo and (lacking := next((need for need in step.needs if need in missing), "")):
        return StepResult(
            step.id, "blocked", f"{outcome.setting}: it needs the step {lacking}, which was not done", AGAIN
        )
    if outcome.question and not agrees(outcome.question):
        return StepResult(step.id, "left out", f"{outcome.setting}: it stays {outcome.before}")
    try:
        with limited(setup.seconds):
            (step.undo if undo else step.apply)(setup)
    except (Failure, SettingsError) as failure:
        return _failed(step, outcome, failure)
    now = _looked(step, setup, undo)
    if isinstance(now, InPlace):
        return StepResult(step.id, "done", f"{outcome.setting}: {outcome.after}", url=now.url)
    seen = now.before if isinstance(now, PlannedChange) else now.reason
    return StepResult(step.id, "failed", f"{outcome.setting}: read back, it is {seen}", AGAIN)


def _failed(step: SetupStep, change: PlannedChange, failure: Exception) -> StepResult:
    remedy = failure.remedy if isinstance(failure, SetupError) else ""
    return StepResult(step.id, "failed", f"{change.setting}: {failure}", remedy or AGAIN)


def _looked(step: SetupStep, setup: SetupContext, undo: bool) -> Outcome:
    try:
        with limited(setup.seconds):
            return step.look_undo(setup) if undo else step.look(setup)
    except (Failure, SettingsError) as failure:
        remedy = failure.remedy if isinstance(failure, SetupError) else ""
        return Blocked(f"{step.id}: {failure}", remedy or AGAIN)
