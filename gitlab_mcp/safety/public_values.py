"""Weak passwords: values of secret variables that stand in files of the target branch, so that they are not secret.

With POSTGRES_PASSWORD=postgres, hiding and refusing the word would stop a run. Only files of the branch that changes go
into count: the author of a merge request could list guesses in its files, and so find out secrets or have them shown.
"""

import re
import threading
from collections.abc import Callable, Iterable

from gitlab_mcp.config.settings import CREDENTIAL_VARIABLE, Settings
from gitlab_mcp.errors import Failure
from gitlab_mcp.safety.redact import TOKENS, has_mark, is_public

STRONG_CHARACTERS = 16  # a value of so many characters is a secret wherever it stands
READ_ATTEMPTS = 3  # how often reading the files may fail before every value stays secret


class PublicValues:
    """The secrets of a run that are public; `read` returns the files of the target branch, once, when it is needed."""

    def __init__(self, settings: Settings, read: Callable[[], Iterable[bytes]]) -> None:
        self._weak = {value for value in settings.secrets if _is_weak(value, settings)}
        self._read = read
        self._public: set[str] | None = None
        self._failures = 0
        self._lock = threading.Lock()

    def __contains__(self, value: str) -> bool:
        return value in self._weak and value in self._found()

    def _found(self) -> set[str]:
        with self._lock:
            if self._public is None:
                # While the files are read, every value is a secret.
                strict = is_public.set(lambda _value: False)
                try:
                    files = list(self._read())
                    self._public = {value for value in self._weak if any(_stands_in(value, file) for file in files)}
                except Failure:
                    self._failures += 1
                    if self._failures < READ_ATTEMPTS:
                        return set()
                    self._public = set()
                finally:
                    is_public.reset(strict)
            return self._public


def _is_weak(value: str, settings: Settings) -> bool:
    """Whether a value may be public: it is short, not a credential and does not look like a token."""
    return not (
        len(value) >= STRONG_CHARACTERS
        or value in settings.credentials
        or CREDENTIAL_VARIABLE.match(settings.secret_variables.get(value, ""))
        or has_mark(value)
        or TOKENS.search(value)
    )


def _stands_in(value: str, file: bytes) -> bool:
    """Whether a value stands in a file by itself, not as a part of a longer word."""
    return re.search(rb"(?<!\w)" + re.escape(value.encode()) + rb"(?!\w)", file) is not None
