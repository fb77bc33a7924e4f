"""The plan of a setup, as values: what would change under which setting, what is in place, and what cannot be done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitlab_mcp.errors import Failure


@dataclass(frozen=True)
class PlannedChange:
    """A change that a step would make.

    `setting` is GitLab's own name of what changes, `purpose` what it is for, `before` and `after` what it is then;
    neither is ever a secret. `question` is asked by itself, because the answer is not obvious; "" for most changes.
    """

    setting: str
    purpose: str
    before: str
    after: str
    question: str = ""


@dataclass(frozen=True)
class InPlace:
    """There is nothing to change: `what` says what is there. `url` is where a person goes on from it."""

    what: str
    url: str = ""


@dataclass(frozen=True)
class Blocked:
    """A change cannot be made, for this reason; `remedy` says what to do."""

    reason: str
    remedy: str


Outcome = PlannedChange | InPlace | Blocked


class SetupError(Failure):
    """A setup, or one step of it, cannot go on; `remedy` says what to do."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True)
class PlannedStep:
    """What the step with the id `step` found."""

    step: str
    outcome: Outcome


@dataclass(frozen=True)
class SetupPlan:
    """What each step found, in the order in which they are applied, and what a person should know beforehand.

    `instructions` are lines that say what a person does elsewhere.
    """

    title: str
    steps: Sequence[PlannedStep]
    notes: Sequence[str] = ()
    instructions: Sequence[str] = ()

    @property
    def changes(self) -> list[tuple[str, PlannedChange]]:
        """The changes, each with the id of its step."""
        return [(planned.step, planned.outcome) for planned in self.steps if isinstance(planned.outcome, PlannedChange)]

    @property
    def blocked(self) -> list[tuple[str, Blocked]]:
        """What cannot be done, each with the id of its step."""
        return [(planned.step, planned.outcome) for planned in self.steps if isinstance(planned.outcome, Blocked)]

    @property
    def url(self) -> str:
        """Where a person goes on from what is in place; "" where nothing says so."""
        urls = [planned.outcome.url for planned in self.steps if isinstance(planned.outcome, InPlace)]
        return next(filter(None, reversed(urls)), "")

    def lines(self) -> list[str]:
        """The plan as text."""
        lines = [self.title, *(f"Note: {note}" for note in self.notes), ""]
        for planned in self.steps:
            lines += _lines(planned.outcome)
        return [*lines, "", *self.instructions] if self.instructions else lines

    def as_json(self) -> dict[str, object]:
        """The plan as JSON."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "instructions": list(self.instructions),
            "steps": [_as_json(planned) for planned in self.steps],
        }


def _lines(outcome: Outcome) -> list[str]:
    match outcome:
        case PlannedChange(setting, purpose, before, after):
            return [f"change: {setting}", f"    {before} -> {after}", f"    for: {purpose}"]
        case InPlace(what):
            return [f"in place: {what}"]
        case Blocked(reason, remedy):
            return [f"blocked: {reason}", f"    {remedy}"]


def _as_json(planned: PlannedStep) -> dict[str, object]:
    status = {PlannedChange: "change", InPlace: "in place", Blocked: "blocked"}[type(planned.outcome)]
    return {"step": planned.step, "status": status, **_fields(planned.outcome)}


def _fields(outcome: Outcome) -> dict[str, object]:
    return {name: value for name, value in vars(outcome).items() if value != ""}


@dataclass(frozen=True)
class StepResult:
    """How a step ended: "done", "in place", "blocked", "failed", or "left out", where a person said no to it."""

    step: str
    status: str
    what: str
    remedy: str = ""
    url: str = ""

    def lines(self) -> list[str]:
        """The result as text, with the remedy below it."""
        return [f"{self.status}: {self.what}", *([f"    {self.remedy}"] if self.remedy else [])]


def last_url(results: Iterable[StepResult]) -> str:
    """The address at which a person goes on: that of the last step that has one."""
    return next((result.url for result in reversed(list(results)) if result.url), "")
