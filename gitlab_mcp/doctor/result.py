"""The result of a check, in words and with the remedy."""

from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.errors import Failure, GitLabRefusal
from gitlab_mcp.safety.sanitize import one_line

Status = Literal["pass", "warn", "fail", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """How a check ended; `remedy` says what to do where it did not pass."""

    status: Status
    what: str
    remedy: str = ""


class Skipped(Exception):
    """A check cannot be done here; the text says why."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def passed(what: str) -> CheckResult:
    return CheckResult("pass", what)


def warned(what: str, remedy: str) -> CheckResult:
    return CheckResult("warn", what, remedy)


def failed(what: str, remedy: str) -> CheckResult:
    return CheckResult("fail", what, remedy)


def skipped(what: str, remedy: str) -> CheckResult:
    return CheckResult("skipped", what, remedy)


def told_by(failure: Failure) -> str:
    """A failure in a few words, with GitLab's own in quotes."""
    if isinstance(failure, GitLabRefusal) and failure.status:
        return f"GitLab answered {failure.status}{quoted(failure.reason)}"
    return str(failure)


def named(text: str) -> str:
    """A name that somebody else chose, in quotes."""
    return f'"{one_line(text, 200)}"'


def quoted(text: str) -> str:
    """Somebody else's words in brackets and quotes; "" where there are none."""
    shown = one_line(text, 200)
    return f' ("{shown}")' if shown else ""
