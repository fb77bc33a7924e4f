"""GitLab's HTTP errors and failed connections as exceptions whose text says what failed, why, and what to do next.

Statuses and bodies: https://docs.gitlab.com/api/rest/troubleshooting/ and, for tokens, the OAuth-style bodies
`{"error", "error_description", "scope"}`.
"""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from urllib3 import exceptions

from gitlab_mcp.api.http import BodyTooLarge, NoConnectionFree, TooManyRedirects
from gitlab_mcp.api.rate_limit import TOO_MANY
from gitlab_mcp.api.retry import retry_after
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import AnswerLost, Conflict, GitLabRefusal, Moved, NotFound, Unreachable
from gitlab_mcp.safety.sanitize import one_line

REASON_CHARACTERS = 600

# What urllib3 raises before a request is sent.
NOT_CONNECTED = (
    exceptions.ConnectTimeoutError,  # and its subclasses: a connection refused, a name that is not known
    ssl.SSLCertVerificationError,
)


def reason_of(body: object) -> str:
    """GitLab's own message from an error body in any of its formats, on one line; "" where there is none."""
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace")
    elif isinstance(body, str):
        text = body
    else:
        return ""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        # The page of a proxy or of a maintenance is HTML, which does not help an agent; "Retry later" is plain text.
        return "" if "<" in text else one_line(text, REASON_CHARACTERS)
    if isinstance(data, dict):
        described = data.get("error_description")
        data = described or data.get("message") or data.get("error") or ""
    return one_line(_flat(data), REASON_CHARACTERS)


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(
            _flat(inner) if key in ("base", "error") else f"{key} {_flat(inner)}" for key, inner in value.items()
        )
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value)
    return str(value)


def refusal(method: str, status: int, body: object, headers: Mapping[str, str], settings: Settings) -> GitLabRefusal:
    """The exception for an HTTP error of GitLab's."""
    reason = reason_of(body)
    message = f"GitLab answered {status}{f': {reason}' if reason else ''}."
    credential = settings.credential
    kind: Callable[..., GitLabRefusal] = GitLabRefusal
    already_exists = "already exists" in reason
    if status in (301, 302, 307, 308) or (status == 405 and "moved projects" in reason):
        kind, advice = Moved, "The project has moved, and GitLab accepts no writes under its old path."
    elif status == 401 and credential.kind == "job token":
        advice = (
            "GitLab does not let CI_JOB_TOKEN do this, or the job has ended: GITLAB_ACCESS_TOKEN (scope api) is needed."
        )
    elif status == 401:
        advice = f"The token in {credential.variable} is wrong, expired or revoked: set a valid one with scope api."
    elif status == 403 and ("privileges" in reason or "scope" in reason):
        advice = f"The token in {credential.variable} lacks a scope: writing needs api, reading read_api."
    elif status == 403:
        advice = (
            f"The user of {credential.variable} may not do this here: code and merge requests need role Developer,"
            " a protected branch what its rule says."
        )
    elif status == 404:
        kind, advice = NotFound, "It does not exist, or this token may not see it: check the name and the project."
    elif status == 409 or already_exists:
        kind, advice = partial(Conflict, already_exists=already_exists), "Look at what exists before trying again."
    elif status == 413:
        advice = "Send less in one call."
    elif status == 429:
        advice = TOO_MANY
    elif status in (502, 503, 504):
        advice = "GitLab is overloaded or under maintenance: try again in a few minutes."
    elif status >= 500:
        advice = "This is an internal error of GitLab: try again later."
    else:
        advice = ""
    return kind(
        f"{message} {advice}".strip(),
        status=status,
        reason=reason,
        retry_after=retry_after(headers),
        effect_unknown=status >= 500 and _writes(method),
    )


def _writes(method: str) -> bool:
    return method not in ("get", "head")


def unreachable(method: str, error: Exception, url: str, unexpected: str = "") -> Unreachable:
    """The exception for a response that did not arrive, or cannot be used; `unexpected` describes one of a wrong form.

    It is AnswerLost where the request had been sent, so that a write may have taken effect.
    """
    lost = partial(AnswerLost, effect_unknown=_writes(method))
    again = "" if _writes(method) else " Try again."
    if unexpected:
        return lost(f"GitLab's response has an unexpected form ({unexpected}): is a proxy or a login page in the way?")
    if isinstance(error, BodyTooLarge):
        return lost(f"GitLab's response was not read: {error}. Ask for less.")
    if isinstance(error, NoConnectionFree):
        return Unreachable(f"All connections to {url} are in use by other calls: try again.", transient=True)
    if isinstance(error, exceptions.DecodeError):
        return lost("GitLab's response cannot be decompressed.")
    if isinstance(error, exceptions.SSLError) and not _was_sent(error):
        return Unreachable(
            f"The TLS certificate of {url} was not accepted ({_tls_cause(error)}):"
            " for a private CA set GITLAB_CA_FILE to its PEM file."
        )
    if isinstance(error, exceptions.ProxyError):
        text = f"The proxy on the way to {url} refused or did not answer: check HTTPS_PROXY and NO_PROXY."
        return Unreachable(text, transient=True)
    if isinstance(error, TooManyRedirects):
        return Unreachable(f"{url} redirects in a circle: check GITLAB_URL.")
    if not _was_sent(error):
        text = f"{url} cannot be reached ({_cause(error)}): is it up, and are the address and the network right?"
        return Unreachable(text, transient=True)
    if isinstance(error, exceptions.TimeoutError):
        return lost(f"{url} did not answer in time.{again}", transient=True)
    return lost(f"The connection to {url} broke ({_cause(error)}).{again}", transient=True)


def _chain(error: BaseException, *, arguments: bool = False) -> Iterator[BaseException]:
    """An error and what caused it, inwards, each once: a chain of exceptions can be a circle.

    With `arguments` an exception in the arguments of another one, where libraries put it, counts as its cause.
    """
    passed: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and not any(inner is one for one in passed):
        yield inner
        passed.append(inner)
        wrapped = inner.args[0] if arguments and inner.args else None
        inner = wrapped if isinstance(wrapped, BaseException) else (inner.__cause__ or inner.__context__)


def _was_sent(error: BaseException) -> bool:
    """Whether the request may have reached GitLab: false only where the connection was never made."""
    return not any(isinstance(inner, NOT_CONNECTED) for inner in _chain(error, arguments=True))


def _cause(error: BaseException) -> str:
    """The innermost cause in a few words, without the addresses and objects that the libraries print."""
    *_, innermost = _chain(error)
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror
    return type(innermost).__name__


def _tls_cause(error: BaseException) -> str:
    refused = (inner for inner in _chain(error) if isinstance(inner, ssl.SSLCertVerificationError))
    return next((inner.verify_message for inner in refused), "") or _cause(error)
