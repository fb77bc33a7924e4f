"""Checks with advice: what is right and wrong with a run, from the way to GitLab to the model's credentials."""

from collections.abc import Mapping
from pathlib import Path

from gitlab_mcp.config.settings import Flags
from gitlab_mcp.doctor import (
    about,
    access_token,
    branches,
    checkout,
    configuration,
    installed,
    job_token,
    model,
    reach,
    registration,
)
from gitlab_mcp.doctor.running import run
from gitlab_mcp.doctor.surroundings import Surroundings
from gitlab_mcp.doctor.verdict import Verdict
from gitlab_mcp.git.process import end_running
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line

CHARACTERS = 700

CHECKS = (
    *configuration.CHECKS,
    *reach.CHECKS,
    *access_token.CHECKS,
    *job_token.CHECKS,
    *branches.CHECKS,
    *about.CHECKS,
    *installed.CHECKS,
    *registration.CHECKS,
    *checkout.CHECKS,
    *model.CHECKS,
)


def examine(flags: Flags, environ: Mapping[str, str], directory: Path) -> list[tuple[str, Verdict]]:
    """The verdicts of all checks that have something to say, with their ids; ends within half a minute.

    Their words hold no secret, and nothing that a person would not see.
    """
    surroundings = Surroundings(flags, environ, directory)
    secret_values = surroundings.secret_values

    def shown(text: str) -> str:
        # First on one line: a secret may hide in pieces; cut last: half a secret is one too.
        return one_line(redact(one_line(text, 20_000), secret_values), CHARACTERS)

    try:
        found = run(CHECKS, surroundings)
    finally:
        end_running()
    return [(name, Verdict(verdict.status, shown(verdict.what), shown(verdict.remedy))) for name, verdict in found]
