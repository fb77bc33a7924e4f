"""Check a real GitLab: scripts/check-gitlab runs it.

Locally it needs CHECK_GITLAB_URL, CHECK_GITLAB_PROJECT (the path of a project to throw away) and
CHECK_GITLAB_ACCESS_TOKEN (scope api, role Maintainer). In a CI job it needs nothing; examples/check.gitlab-ci.yml is
such a job. It ends with 0 when every fact held or could not be tried, 1 when one did not hold, 2 when it cannot begin.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import requests

from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.git.process import end_running
from gitlab_mcp.safety.redact import redact
from tests.check_gitlab.answers import Answers
from tests.check_gitlab.environment import Place, Skipped, place, secrets_of
from tests.check_gitlab.job import Job
from tests.check_gitlab.local import Journey
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Rest

WAIT_SECONDS = 20.0


async def play_locally(here: Place, report: Report) -> None:
    """Play the journey with the access token, then look at single answers."""
    rest = Rest(here.settings, {"PRIVATE-TOKEN": here.settings.credential.token})
    journey = Journey(here, rest, report)
    try:
        await journey.play()
        Answers(here.settings, rest, report, journey.made).look()
    finally:
        journey.tidy_up()


def reach(here: Place) -> str:
    """The version of the GitLab. Raises NotTried when the project is not to be seen with the access token."""
    settings = here.settings
    rest = Rest(settings, {"Authorization": f"Bearer {settings.credential.token}"})
    if here.mode == "job":
        rest.get("/job")
        return here.environment.get("CI_SERVER_VERSION", "")
    rest.get(rest.project).needed()
    return rest.get("/version").entity.text("version")


async def check(here: Place, secrets: tuple[str, ...], seconds: float) -> Report:
    """Try every fact of this mode."""
    version = reach(here)
    where = "with an access token" if here.mode == "local" else "with a job token"
    heading = f"GitLab {version} at {here.settings.url}, project {here.settings.project}, {where}:"
    report = Report(here.mode, heading, secrets)
    if here.mode == "local":
        await play_locally(here, report)
    else:
        await Job(here, report, seconds).play()
    return report


def main() -> int:
    """Run the check; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/check-gitlab", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--wait", type=float, default=WAIT_SECONDS, help="seconds that GitLab may take for what follows a push"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="check-gitlab-") as folder:
        try:
            here = place(os.environ, Path(folder))
        except Skipped as skipped:
            sys.stdout.write(f"skipped: {skipped}\n")
            return 0
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        secrets = secrets_of(os.environ, here.settings)
        try:
            report = asyncio.run(check(here, secrets, given.wait))
        except (NotTried, SettingsError, requests.RequestException) as error:
            sys.stderr.write(f"{redact(f'The project cannot be reached: {error}', secrets)}\n")
            return 2
        finally:
            end_running()
    sys.stdout.write(f"{report.as_json() if given.json else report.table()}\n")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
