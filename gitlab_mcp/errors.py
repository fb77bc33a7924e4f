"""The expected errors of a tool call, as one tree of exceptions.

The text of each exception is written for the agent: what failed, why where that is known, and what to do next. Only
these texts are returned to the agent; every other exception is a bug, and is logged with its traceback.

    Failure                     every expected failure of a tool call
    ├── InvalidArgument         an argument is missing, wrong or contradicts another
    ├── Refused                 this server refuses, whatever GitLab would answer
    ├── Unreachable             GitLab sent no usable response: connection, TLS, timeout, size
    │   └── AnswerLost          the request was sent, and whether it took effect is not known
    ├── Partial                 a first step took effect and a later one failed
    └── GitLabRefusal           GitLab answered with an HTTP error; `status` is the HTTP status
        ├── NotFound            404
        ├── JobTokenNotAccepted GitLab accepts no job token on this request, so that it was not sent
        ├── Conflict            409, or a 400 which says that the object already exists
        └── Moved               a redirect or 405: the project was moved or renamed

An unusable configuration is `config.settings.SettingsError`: it ends the command before any tool can be called.
"""

from contextvars import ContextVar
from typing import Any

# The names of the tools that the run lists, for the texts of failures; None: all.
listed_tools: ContextVar[frozenset[str] | None] = ContextVar("listed_tools", default=None)


def naming(phrase: str, *tools: str) -> str:
    """A phrase of a text for the agent, with the `tools` that the run lists in place of {}; "" where it lists none."""
    listed = listed_tools.get()
    names = [name for name in tools if listed is None or name in listed]
    return phrase.replace("{}", " or ".join(names)) if names else ""


NOT_KNOWN = "Whether it took effect is not known."


class Failure(Exception):
    """An expected failure of a tool call; `str()` is the text for the agent.

    It says so where a write may have taken effect (`effect_unknown`); `text` is the text without that.
    """

    def __init__(self, text: str, *, effect_unknown: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.effect_unknown = effect_unknown

    def __str__(self) -> str:
        return f"{self.text} {NOT_KNOWN} Look before repeating it." if self.effect_unknown else self.text


class InvalidArgument(Failure):
    """An argument is missing, has a wrong form or contradicts another."""


class Refused(Failure):
    """This server refuses the call, whatever GitLab would answer."""


class Unreachable(Failure):
    """GitLab sent no usable response: no connection, bad TLS, a timeout, or a response that is too large.

    `transient` is whether the same request may succeed a moment later.
    """

    def __init__(self, text: str, *, transient: bool = False, effect_unknown: bool = False) -> None:
        super().__init__(text, effect_unknown=effect_unknown)
        self.transient = transient


class AnswerLost(Unreachable):
    """The request was sent and no usable response came back: a write may have taken effect."""


class Partial(Failure):
    """A first step took effect and a later one failed; the text says which."""


class GitLabRefusal(Failure):
    """GitLab answered with an HTTP error.

    `status` is the HTTP status (0 where no request was needed to know the error), `reason` GitLab's own message,
    sanitized and shortened, and `retry_after` the seconds that GitLab asks to wait, None where it does not say.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: float | None = None,
        effect_unknown: bool = False,
    ) -> None:
        super().__init__(text, effect_unknown=effect_unknown)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFound(GitLabRefusal):
    """404: the object does not exist, or is hidden from this credential."""


class JobTokenNotAccepted(GitLabRefusal):
    """GitLab does not accept a job token on this request, so that it was not sent. `status` is 0."""


class Conflict(GitLabRefusal):
    """The object already exists, which is `already_exists`, or was changed meanwhile."""

    def __init__(self, text: str, *, already_exists: bool = False, **details: Any) -> None:
        super().__init__(text, **details)
        self.already_exists = already_exists


class Moved(GitLabRefusal):
    """The project was renamed or moved; GitLab accepts no writes under the old path."""
