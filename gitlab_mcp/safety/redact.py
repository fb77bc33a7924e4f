"""Redaction of secrets in all text that leaves the server."""

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from gitlab_mcp.config.settings import SECRET_CHARACTERS

# GitLab's token prefixes: https://docs.gitlab.com/security/tokens/#token-prefixes (an administrator can change that of
# personal access tokens, which is why the run's own token is also recognized by its value).
TOKENS = re.compile(
    r"\b(?:glpat|gloas|gldt|glrtr?|glcbt|glptt|glft|glimt|glagent|glwt|glsoat|glffct)-[0-9A-Za-z_\-.=]{10,}"
    r"|\bGR1348941[0-9A-Za-z_\-]{10,}|\bwhsec_[0-9A-Za-z+/=]{16,}|(?<=_gitlab_session=)[0-9a-f]{16,}[\w\-.=]*"
    # Tokens of other services, each as its documentation describes it.
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_\-]{35,}|\bsk-ant-[0-9A-Za-z_\-]{20,}"
    r"|\bgh[opsur]_[0-9A-Za-z]{36,}|\bgithub_pat_[0-9A-Za-z_]{22,}|\bxox[abprs]-[0-9A-Za-z-]{10,}"
    r"|\beyJ[0-9A-Za-z_\-]{10,}\.eyJ[0-9A-Za-z_\-]{10,}\.[0-9A-Za-z_\-]+"
    # Without an END line, only as far as the text looks like a key: code may contain the BEGIN line alone.
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"(?:(?:(?!-----BEGIN ).)*?-----END [A-Z ]*PRIVATE KEY-----|[0-9A-Za-z+/=\s\\:,>-]*)",
    re.DOTALL,
)

# Every match of TOKENS contains one of these.
TOKEN_MARKS = (
    *("glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glwt-"),
    *("glsoat-", "glffct-", "GR1348941", "whsec_", "_gitlab_session=", "AKIA", "ASIA", "AIza", "sk-ant-"),
    *("gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"),
    *(".eyJ", "-----BEGIN "),
)

# For the marks that begin with the same two characters, one search, which skips to these. Together they take a fifth of
# the time of a search for each mark, and a two hundredth of that of TOKENS.
MARKS_BY_START = tuple(
    re.compile("|".join(re.escape(mark) for mark in TOKEN_MARKS if mark[:2] == start))
    for start in dict.fromkeys(mark[:2] for mark in TOKEN_MARKS)
)

REPLACEMENT = "[token removed]"

# The values that must not leave the server, set for the time of a tool call.
secrets_of_run: ContextVar[tuple[str, ...]] = ContextVar("secrets_of_run", default=())

# Whether a secret of the run stands in a file that everybody sees, so that it is not secret: see public_values.py.
is_public: ContextVar[Callable[[str], bool]] = ContextVar("is_public", default=lambda _secret: False)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the values in `secrets` and without anything that has the form of a token or a private key."""
    return _without(text, secrets, lambda _secret: REPLACEMENT)


def redacted(text: str) -> str:
    """`text` without the secrets of the current tool call. Redact before cutting: a part of a secret is not found.

    Lines keep their numbers: each line of a secret that has several is replaced.
    """
    return _without(text, secrets_of_run.get(), lambda secret: "\n".join([REPLACEMENT] * (secret.count("\n") + 1)))


def _without(text: str, secrets: tuple[str, ...], replacement: Callable[[str], str]) -> str:
    # The longest first: a shorter secret that begins like a longer one would leave its end.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_CHARACTERS and secret in text and not is_public.get()(secret):
            text = text.replace(secret, replacement(secret))
    if not has_mark(text):
        return text
    return TOKENS.sub(lambda match: replacement(match[0]), text)


def has_mark(text: str) -> bool:
    """Whether a text contains one of TOKEN_MARKS: another one has no match of TOKENS."""
    for marks in MARKS_BY_START:  # noqa: SIM110  # a generator takes as long again
        if marks.search(text):
            return True
    return False


def places_to_redact(text: str) -> Iterator[int]:
    """Where in a text a secret of the current tool call, or a mark of a token, begins: `redacted` keeps the rest."""
    for marks in MARKS_BY_START:
        yield from (match.start() for match in marks.finditer(text))
    for secret in secrets_of_run.get():
        if len(secret) >= SECRET_CHARACTERS:
            yield from (match.start() for match in re.finditer(re.escape(secret), text))
