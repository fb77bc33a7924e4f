"""What a check comes to: a verdict, in words and with the remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gitlab_mcp.errors import Failure, GitLabRefusal
from gitlab_mcp.safety.sanitize import one_line

if TYPE_CHECKING:
    from gitlab_mcp.doctor.surroundings import Surroundings

Status = Literal["pass", "warn", "fail", "cannot tell from here"]


@dataclass(frozen=True)
class Verdict:
    """How a check ended; `remedy` says what to do where it did not pass."""

    status: Status
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """A check. `about` says what it finds out, such as "whether the token is good".

    `examine` gives None where there is nothing to say.
    """

    id: str
    about: str
    examine: Callable[["Surroundings"], Verdict | None]


class Untold(Exception):
    """A check cannot tell from here; the text says why."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def passed(what: str) -> Verdict:
    return Verdict("pass", what)


def warned(what: str, remedy: str) -> Verdict:
    return Verdict("warn", what, remedy)


def failed(what: str, remedy: str) -> Verdict:
    return Verdict("fail", what, remedy)


def unknown(what: str, remedy: str) -> Verdict:
    return Verdict("cannot tell from here", what, remedy)


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
