"""CI/CD variables that hold a secret."""

from functools import partial

from gitlab_mcp.api.client import segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.setup.options import API_KEY
from gitlab_mcp.setup.plan import Blocked, InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext, SetupStep, delete_once, look_at

VARIABLES_PAGE = "Settings > CI/CD > Variables"
VARIABLE_STEP = "variable "  # and the name of the variable


class VariableStep(SetupStep):
    """A variable with a secret of the person's. One that exists is left as it is, since its value cannot be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = f"{VARIABLE_STEP}{name}"

    def look(self, setup: SetupContext) -> Outcome:
        if existing := find_variable(setup, self.name):
            return InPlace(f"{VARIABLES_PAGE} > {self.name}: {described(existing)}")
        if not setup.secrets.can_get(self.name):
            return Blocked(
                f"{VARIABLES_PAGE} > {self.name}: there is no value for it",
                f"Export {self.name}, or run setup on a terminal, which asks for it without showing it.",
            )
        purpose = "the key with which runs use the model" if self.name == API_KEY else "a secret that runs need"
        return PlannedChange(f"{VARIABLES_PAGE} > {self.name}", f"{purpose}; {reach(setup)}", "absent", form(setup))

    def apply(self, setup: SetupContext) -> None:
        value = setup.secrets.get(self.name)
        setup.state.keep(self.id, made=True)
        create_variable(setup, self.name, value)

    def look_undo(self, setup: SetupContext) -> Outcome:
        return look_undo_variable(setup, self.name, self.id)

    def undo(self, setup: SetupContext) -> None:
        delete_variable(setup, self.name)
        setup.state.forget(self.id)


def find_variable(setup: SetupContext, name: str) -> Entity | None:
    """The variable for all environments; None where there is none."""
    rows = setup.gitlab.every(f"{setup.project.path}/variables")
    return next((row for row in rows if row.text("key") == name and row.text("environment_scope") in ("", "*")), None)


def create_variable(setup: SetupContext, name: str, value: str, description: str = MADE_BY_SETUP) -> None:
    """Create a variable, never twice: https://docs.gitlab.com/api/project_level_variables/#create-a-variable"""
    body = {
        "key": name,
        "value": value,
        "raw": True,  # not expanded
        "protected": setup.options.protected,
        "description": description,
        **({"masked_and_hidden": True} if setup.facts.is_at_least(17, 4) else {"masked": True}),
    }
    send = partial(setup.gitlab.post, f"{setup.project.path}/variables", body)
    write_once(send, lambda: find_variable(setup, name), look_at(VARIABLES_PAGE))


def update_variable(setup: SetupContext, name: str, value: str, description: str) -> None:
    """Give a variable another value. Sent again it has no further effect, and GitLab does not show the value."""
    path = f"{setup.project.path}/variables/{segment(name)}?filter%5Benvironment_scope%5D=%2A"
    write_once(
        partial(setup.gitlab.put, path, {"value": value, "description": description}),
        lambda: None,
        look_at(VARIABLES_PAGE),
    )


def delete_variable(setup: SetupContext, name: str) -> None:
    """Delete a variable, which may be gone already."""
    path = f"{setup.project.path}/variables/{segment(name)}?filter%5Benvironment_scope%5D=%2A"
    delete_once(setup, path, lambda: find_variable(setup, name) is None, VARIABLES_PAGE)


def is_ours(variable: Entity) -> bool:
    """Whether setup made a variable; GitLab has kept descriptions of variables since 16.2."""
    return variable.text("description").startswith(MADE_BY_SETUP)


def look_undo_variable(setup: SetupContext, name: str, step: str) -> Outcome:
    """What taking back the variable of a step would change."""
    existing = find_variable(setup, name)
    if existing is None:
        return InPlace(f"{VARIABLES_PAGE} > {name}: absent")
    if not is_ours(existing) and not setup.state.record(step):
        return InPlace(f"{VARIABLES_PAGE} > {name}: setup did not make it, so that it stays")
    return PlannedChange(f"{VARIABLES_PAGE} > {name}", "setup made it", "set", "deleted, with its value")


def form(setup: SetupContext) -> str:
    """How a new variable is kept."""
    hidden = "masked and hidden" if setup.facts.is_at_least(17, 4) else "masked"
    return f"{hidden}, not expanded, {'protected' if setup.options.protected else 'not protected'}"


def reach(setup: SetupContext) -> str:
    """Which runs get a variable."""
    if setup.options.protected:
        return (
            "only pipelines of protected branches get it: also runs by mention, which are on the default branch, but"
            ' not where the listener has ref = "source"'
        )
    return "pipelines of all branches get it, and whoever can push a branch can read it there (else --protected)"


def described(variable: Entity) -> str:
    """A variable that exists, without its value."""
    kept = "masked and hidden" if variable.flag("hidden") else "masked" if variable.flag("masked") else "not masked"
    return f"{kept}{', protected' if variable.flag('protected') else ''}; it is left as it is"
