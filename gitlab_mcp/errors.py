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


class Failure(Exception):
    """An expected failure of a tool call; `str()` is the text for the agent."""


class InvalidArgument(Failure):
    """An argument is missing, has a wrong form or contradicts another."""


class Refused(Failure):
    """This server refuses the call, whatever GitLab would answer."""


class Unreachable(Failure):
    """GitLab sent no usable response: no connection, bad TLS, a timeout, or a response that is too large.

    `transient` is whether the same request may succeed a moment later.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
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

    def __init__(self, text: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFound(GitLabRefusal):
    """404: the object does not exist, or is hidden from this credential."""


class JobTokenNotAccepted(GitLabRefusal):
    """GitLab does not accept a job token on this request, so that it was not sent. `status` is 0."""


class Conflict(GitLabRefusal):
    """The object already exists, or was changed meanwhile."""


class Moved(GitLabRefusal):
    """The project was renamed or moved; GitLab accepts no writes under the old path."""
