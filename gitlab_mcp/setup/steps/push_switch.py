"""The switch that lets jobs push with their own token."""

from functools import partial

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import look_with, write_once
from gitlab_mcp.setup.plan import InPlace, Outcome, PlannedChange, SetupError
from gitlab_mcp.setup.step import SetupContext, SetupStep

PUSH_SWITCH = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
FIELD = "ci_push_repository_for_job_token_allowed"


class PushSwitchStep(SetupStep):
    """https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository"""

    id = "push-switch"

    def look(self, setup: SetupContext) -> Outcome:
        if _is_on(setup):
            return InPlace(f"{PUSH_SWITCH}: on")
        branch = setup.facts.default_branch
        question = (
            ""
            if setup.facts.protected or setup.options.push_unprotected
            else (
                f"The default branch {branch} is not protected, so that jobs could push to it too. Turn the switch on"
                " all the same?"
            )
        )
        return PlannedChange(
            PUSH_SWITCH, "runs push branches, from which they open merge requests", "off", "on", question
        )

    def apply(self, setup: SetupContext) -> None:
        setup.state.keep_first(self.id, before=False)
        _turn(setup, True)

    def look_undo(self, setup: SetupContext) -> Outcome:
        record = setup.state.record(self.id)
        if "before" not in record or not _is_on(setup):
            return InPlace(f"{PUSH_SWITCH}: it was not changed from this machine")
        return PlannedChange(PUSH_SWITCH, "it was off before", "on", "off")

    def undo(self, setup: SetupContext) -> None:
        _turn(setup, False)
        setup.state.forget(self.id)


def _is_on(setup: SetupContext) -> bool:
    project = setup.gitlab.get(setup.project.path)
    if FIELD not in project.names():
        raise SetupError(
            "This GitLab does not show whether jobs may push.", f"Look at {PUSH_SWITCH}, or pass --no-push."
        )
    return project.flag(FIELD)


def _turn(setup: SetupContext, on: bool) -> None:
    def find() -> Entity | None:
        project = setup.gitlab.get(setup.project.path)
        return project if project.flag(FIELD) is on else None

    write_once(partial(setup.gitlab.put, setup.project.path, {FIELD: on}), find, look_with("get_project"))
