"""The secrets of a setup: read from the environment or without echo from the terminal, when a step first needs them."""

from collections.abc import Callable, Mapping

from gitlab_mcp.config.environment import secret
from gitlab_mcp.setup.plan import SetupError

# GitLab refuses to mask a shorter value, and one with blanks:
# https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable
MASKED_CHARACTERS = 8


class Secrets:
    """The secrets that this run has seen, by name.

    `ask` reads one from the terminal; it is None where there is no terminal.
    """

    def __init__(self, environ: Mapping[str, str], ask: Callable[[str], str] | None) -> None:
        self._environ = environ
        self._ask = ask
        self._values: dict[str, str] = {}

    def has(self, name: str) -> bool:
        """Whether a secret is there without a question: in the environment, or in a file that NAME_FILE names."""
        return bool(self._values.get(name) or secret(self._environ, name))

    def can_get(self, name: str) -> bool:
        """Whether `get` can return a value."""
        return self._ask is not None or self.has(name)

    def get(self, name: str) -> str:
        """The value of a secret. Raises SetupError where there is none, or GitLab could not mask it."""
        value = self._values.get(name) or secret(self._environ, name)
        if not value and self._ask is not None:
            value = self._ask(name).strip()
        if not value:
            raise SetupError(f"There is no value for {name}.", f"Export {name}, or run setup on a terminal.")
        if problem := masking_problem(value):
            raise SetupError(
                f"The value of {name} {problem}, so that GitLab cannot mask it.", "Check that it is whole."
            )
        self._values[name] = value
        return value

    def add(self, name: str, value: str) -> None:
        """Take a secret that was created, so that no output shows it."""
        self._values[name] = value

    @property
    def values(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        return tuple(self._values.values())


def masking_problem(value: str) -> str:
    """Why GitLab cannot mask a value, as the end of a sentence; "" for one that it can."""
    if len(value) < MASKED_CHARACTERS:
        return f"has fewer than {MASKED_CHARACTERS} characters"
    if any(character.isspace() or not character.isprintable() for character in value):
        return "contains a blank or the end of a line"
    return "" if value.isascii() else "contains other characters than ASCII"
