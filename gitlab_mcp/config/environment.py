"""Reading the environment: variables, booleans, lists, secrets and paths."""

import re
from collections.abc import Mapping
from pathlib import Path

LONGEST_SECRET = 65_536


class SettingsError(Exception):
    """The configuration cannot be used; the text says what is wrong and which variable or flag fixes it."""


class MissingCredential(SettingsError):
    """No variable holds a credential for GitLab."""

    def __init__(self) -> None:
        super().__init__(
            "No GitLab credential: set GITLAB_ACCESS_TOKEN to an access token with scope api (outside CI, GITLAB_TOKEN"
            " or GITLAB_PERSONAL_ACCESS_TOKEN also serve; a CI job has CI_JOB_TOKEN by itself)."
        )


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs inside a GitLab CI job."""
    return environ.get("GITLAB_CI", "").lower() == "true"


def is_any_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of any CI: there a bare start has to end by itself."""
    return any(environ.get(name, "").lower() not in ("", "false", "0") for name in ("GITLAB_CI", "CI"))


def variable(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable; "" where it is unset, empty, or refers to a variable that is unset."""
    # An unset variable that a client's configuration refers to arrives as the literal text "${NAME}".
    value = environ.get(name, "").strip()
    return "" if re.fullmatch(r"\$\{[^}]*\}|\$\w+", value) else value


def flag(environ: Mapping[str, str], name: str) -> bool:
    """The boolean value of a variable; False where it is unset. Raises SettingsError when it is not a boolean."""
    value = variable(environ, name).lower()
    if value in ("", "0", "false", "no"):
        return False
    if value in ("1", "true", "yes"):
        return True
    raise SettingsError(f'{name} is "{value}": set it to true or false.')


def split_list(text: str) -> tuple[str, ...]:
    """The names in a list that is separated by commas or whitespace."""
    return tuple(name for name in re.split(r"[,\s]+", text) if name)


def secret(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that NAME_FILE names; "" where neither is set.

    Raises SettingsError when that file cannot be read.
    """
    if value := variable(environ, name):
        return value
    path = variable(environ, f"{name}_FILE")
    if not path:
        return ""
    if not is_file(Path(path)):
        raise SettingsError(f"{name}_FILE does not name a readable file: correct it or remove it.")
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return file.read(LONGEST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file that {name}_FILE names cannot be read: {type(error).__name__}.") from error


def is_file(path: Path) -> bool:
    """Whether `path` is a regular file (reading a pipe could block); False where it cannot be examined."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; False where it cannot be examined."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def working_directory() -> Path:
    """The working directory of this process; the root directory where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")
