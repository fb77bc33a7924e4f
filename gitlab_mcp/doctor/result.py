"""The result of a check, and the texts that results are composed of."""

from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.errors import Failure, GitLabRefusal
from gitlab_mcp.safety.sanitize import one_line

Status = Literal["pass", "warn", "fail", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: `what` was found, and the `remedy`, which says what to do where it did not pass.

    `about` and `why` are the parts of `what` where the check could not be done: skipped checks may share the reason.
    """

    status: Status
    what: str
    remedy: str = ""
    about: str = ""
    why: str = ""


class Skipped(Exception):
    """A check cannot be done; the text says why, and `remedy` what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def passed(what: str) -> CheckResult:
    return CheckResult("pass", what)


def warned(what: str, remedy: str) -> CheckResult:
    return CheckResult("warn", what, remedy)


def failed(what: str, remedy: str) -> CheckResult:
    return CheckResult("fail", what, remedy)


def skipped(what: str, remedy: str, about: str = "", why: str = "") -> CheckResult:
    return CheckResult("skipped", what, remedy, about, why)


def describe(failure: Failure) -> str:
    """A failure in a few words, with GitLab's own message in quotes."""
    if isinstance(failure, GitLabRefusal) and failure.status:
        return f"GitLab answered {failure.status}{in_brackets(failure.reason)}"
    return str(failure)


def in_quotes(text: str) -> str:
    """An untrusted name in quotes, on one line."""
    return f'"{one_line(text, 200)}"'


def in_brackets(text: str) -> str:
    """Untrusted text in brackets and quotes, on one line, after a space; "" where it is empty."""
    line = one_line(text, 200)
    return f' ("{line}")' if line else ""
