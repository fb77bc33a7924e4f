"""What can go wrong, as one tree.

Each class carries text for the agent: what failed, why where it is known, and what to do next. Only these
reach the agent in words; anything else is a bug, logged with its traceback.

    Failure                     every expected failure of a tool call
    ├── InvalidArgument         the call itself: an argument is missing, wrong or contradicts another
    ├── Refused                 this server will not do it, whatever GitLab would say
    ├── Unreachable             no usable answer came: connection, TLS, time, size
    │   └── AnswerLost          a request was sent, and what became of it is not known
    ├── Partial                 a first step happened and a later one failed
    └── GitLabRefusal           GitLab answered with an error; `status` is the HTTP status
        ├── NotFound            404
        ├── NotWithJobToken     a request on which GitLab would not know the job token, so that it is not sent
        ├── Conflict            409, or a 400 that says that the thing is already there
        └── Moved               301 or 405 of a project that was moved or renamed

An unusable configuration is `config.settings.SettingsError`: it ends the command before there is a tool to call.
"""


class Failure(Exception):
    """An expected failure of a tool call; `str()` is the text for the agent."""


class InvalidArgument(Failure):
    """An argument is missing, has a wrong form or contradicts another."""


class Refused(Failure):
    """This server does not do it, whatever GitLab would say."""


class Unreachable(Failure):
    """GitLab gave no usable answer: no connection, bad TLS, out of time, or too large.

    `passing` is whether the same request may succeed a moment later.
    """

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class AnswerLost(Unreachable):
    """The request was sent and no usable answer came back: a write may have taken effect."""


class Partial(Failure):
    """A first step took effect and a later one failed; the text says which."""


class GitLabRefusal(Failure):
    """GitLab answered with an HTTP error.

    `status` is the HTTP status (0 where the same was found before GitLab was asked), `reason` GitLab's own message,
    sanitised and shortened, `retry_after` the seconds that
    GitLab asks to wait, where it says.
    """

    def __init__(self, text: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFound(GitLabRefusal):
    """404: not there, or hidden from this credential."""


class JobTokenNotAccepted(GitLabRefusal):
    """GitLab does not know a job token on this request; it was not sent. `status` is 0."""


class Conflict(GitLabRefusal):
    """The thing is already there, or changed meanwhile."""


class Moved(GitLabRefusal):
    """The project was renamed or moved; GitLab serves no writes under the old path."""
