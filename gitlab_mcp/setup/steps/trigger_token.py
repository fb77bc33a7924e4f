"""The trigger token with which a listener starts pipelines."""

from functools import partial

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.setup.plan import InPlace, Outcome, PlannedChange, SetupError
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext, SetupStep, delete_once, look_at

TRIGGERS_PAGE = "Settings > CI/CD > Pipeline trigger tokens"
# GitLab shows a token in full to its owner only; others see its first characters.
SHORTENED = 12


class TriggerTokenStep(SetupStep):
    """https://docs.gitlab.com/api/pipeline_triggers/ Pipelines that it starts run as the person who made it."""

    id = "trigger-token"

    def look(self, setup: SetupContext) -> Outcome:
        own = _own(setup)
        if own and setup.listener.secret("trigger_token") in [row.text("token") for row in own]:
            return InPlace(f"{TRIGGERS_PAGE}: {own[0].text('description')} ({own[0].number('id')})")
        before = "created, and not in listen.env yet" if own else "absent"
        purpose = f"the listener starts pipelines with it, which run as @{setup.facts.user}"
        return PlannedChange(
            f"{TRIGGERS_PAGE} > Add new token", purpose, before, f"created, and kept in {setup.listener.secrets}"
        )

    def apply(self, setup: SetupContext) -> None:
        own = _own(setup)
        if not own:
            send = partial(setup.gitlab.post, f"{setup.project.path}/triggers", {"description": MADE_BY_SETUP})
            write_once(send, lambda: next(iter(_own(setup)), None), look_at(TRIGGERS_PAGE), repeats=True)
            own = _own(setup)
        if not own:
            raise SetupError("GitLab does not list the trigger token that it created.", look_at(TRIGGERS_PAGE))
        kept, *doubled = sorted(own, key=lambda row: row.number("id"))
        for row in doubled:
            _delete(setup, row)
        setup.secrets.add("trigger_token", kept.text("token"))
        setup.listener.keep("trigger_token", kept.text("token"))

    def look_undo(self, setup: SetupContext) -> Outcome:
        own = _own(setup)
        if not own:
            return InPlace(f"{TRIGGERS_PAGE}: none that setup made")
        return PlannedChange(TRIGGERS_PAGE, "setup made it", f"{len(own)} of setup's", "deleted")

    def undo(self, setup: SetupContext) -> None:
        for row in _own(setup):
            _delete(setup, row)


def _own(setup: SetupContext) -> list[Entity]:
    """The tokens that setup made for this person, whose values GitLab shows."""
    rows = setup.gitlab.every(f"{setup.project.path}/triggers")
    return [row for row in rows if row.text("description") == MADE_BY_SETUP and len(row.text("token")) > SHORTENED]


def _delete(setup: SetupContext, trigger: Entity) -> None:
    number = trigger.number("id")

    def is_gone() -> bool:
        return all(row.number("id") != number for row in _own(setup))

    delete_once(setup, f"{setup.project.path}/triggers/{number}", is_gone, TRIGGERS_PAGE)
