"""Where this runs: locally with an access token, or in a CI job with its job token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.config.environment import is_ci, secret, variable
from gitlab_mcp.config.settings import CA_VARIABLES, Flags, Settings, read_settings
from gitlab_mcp.git.remote import PROXY_VARIABLES
from tests.check_gitlab.facts import Mode

LOCALLY = ("CHECK_GITLAB_URL", "CHECK_GITLAB_PROJECT", "CHECK_GITLAB_ACCESS_TOKEN")
IN_JOB = ("CI_SERVER_URL", "CI_PROJECT_PATH", "CI_PROJECT_ID", "CI_JOB_TOKEN")
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "HTTP_PROXY", *PROXY_VARIABLES, *CA_VARIABLES)
OF_A_JOB = re.compile(r"GITLAB_CI|CI_\w+|GITLAB_USER_\w+")


class Skipped(Exception):
    """There is nothing to check; the text says what is missing."""


@dataclass(frozen=True)
class Place:
    """The mode, the server's settings there, and the environment that it is started with, which is what they are from.

    `directory` is the server's working directory.
    """

    mode: Mode
    settings: Settings
    environment: Mapping[str, str]
    directory: Path


def place(environ: Mapping[str, str], directory: Path) -> Place:
    """Where this runs. Raises Skipped, and SettingsError for what cannot be used.

    `directory` is an empty one: the server is to find no clone there.
    """
    passed = {name: environ[name] for name in PASSED_ON if name in environ}
    if is_ci(environ):
        _need(environ, IN_JOB, "this is a CI job")
        # Of the project's own variables nothing is passed on: here the job token is all that the server has.
        environment = passed | {name: value for name, value in environ.items() if OF_A_JOB.fullmatch(name)}
        return Place("job", read_settings(Flags(), environment, directory), environment, directory)
    _need(environ, LOCALLY, "this is no CI job")
    environment = passed | {
        "GITLAB_URL": variable(environ, "CHECK_GITLAB_URL"),
        "GITLAB_PROJECT": variable(environ, "CHECK_GITLAB_PROJECT"),
        "GITLAB_ACCESS_TOKEN": secret(environ, "CHECK_GITLAB_ACCESS_TOKEN"),
    }
    return Place("local", read_settings(Flags(), environment, directory), environment, directory)


def _need(environ: Mapping[str, str], names: tuple[str, ...], where: str) -> None:
    missing = [name for name in names if not (secret(environ, name) if "TOKEN" in name else variable(environ, name))]
    if missing:
        raise Skipped(f"{where}, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.")


def secrets_of(environ: Mapping[str, str], settings: Settings) -> tuple[str, ...]:
    """Every value that must not be printed."""
    tokens = (value for name, value in environ.items() if name.endswith(("TOKEN", "PASSWORD", "SECRET")))
    return tuple(sorted({*settings.secret_values, *tokens}, key=len, reverse=True))
