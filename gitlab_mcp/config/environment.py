"""Variables of the environment, as the person who set them meant them."""

import re
from collections.abc import Mapping
from pathlib import Path

LONGEST_SECRET = 65_536


class SettingsError(Exception):
    """The configuration cannot be used; the text says what is wrong and which variable or flag mends it."""


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs inside a GitLab CI job."""
    return environ.get("GITLAB_CI", "").lower() == "true"


def variable(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, "" where it is unset, empty or refers to one that is unset."""
    # An unset variable that a client's configuration refers to arrives as the literal text "${NAME}".
    found = environ.get(name, "").strip()
    return "" if re.fullmatch(r"\$\{[^}]*\}|\$\w+", found) else found


def flag(environ: Mapping[str, str], name: str) -> bool:
    """Whether a variable says yes. Raises SettingsError for what is neither yes nor no."""
    said = variable(environ, name).lower()
    if said in ("", "0", "false", "no"):
        return False
    if said in ("1", "true", "yes"):
        return True
    raise SettingsError(f'{name} is "{said}": set it to true or false.')


def listed(text: str) -> tuple[str, ...]:
    """The names in a list that is separated by commas or blanks."""
    return tuple(name for name in re.split(r"[,\s]+", text) if name)


def secret(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that its NAME_FILE twin names.

    Raises SettingsError when that file cannot be read.
    """
    if found := variable(environ, name):
        return found
    file = variable(environ, f"{name}_FILE")
    if not file:
        return ""
    if not is_file(Path(file)):
        raise SettingsError(f"{name}_FILE names no file that can be read: correct it or remove it.")
    try:
        with Path(file).open(encoding="utf-8-sig") as opened:
            return opened.read(LONGEST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file that {name}_FILE names cannot be read: {type(error).__name__}.") from error


def is_file(path: Path) -> bool:
    """Whether this is a file, not a pipe that would be waited for; what cannot be looked at is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether this is a folder; what cannot be looked at is none."""
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
