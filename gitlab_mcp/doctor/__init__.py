"""Checks with advice: what is right and wrong with a run, from the way to GitLab to the model's credentials."""

from collections.abc import Mapping
from pathlib import Path

from gitlab_mcp.config.settings import Flags
from gitlab_mcp.doctor import (
    access_token,
    branches,
    checkout,
    configuration,
    connectivity,
    job_token,
    model,
    registration,
    trigger,
    versions,
)
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult
from gitlab_mcp.doctor.runner import run
from gitlab_mcp.git.process import end_running
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line

CHARACTERS = 700

CHECKS = (
    *configuration.CHECKS,
    *connectivity.CHECKS,
    *access_token.CHECKS,
    *job_token.CHECKS,
    *branches.CHECKS,
    *trigger.CHECKS,
    *versions.CHECKS,
    *registration.CHECKS,
    *checkout.CHECKS,
    *model.CHECKS,
)


def examine(flags: Flags, environ: Mapping[str, str], directory: Path) -> list[tuple[str, CheckResult]]:
    """The verdicts of all checks that have something to say, with their ids; ends within half a minute.

    Their words hold no secret, and nothing that a person would not see.
    """
    context = DoctorContext(flags, environ, directory)
    secret_values = context.secret_values

    def shown(text: str) -> str:
        # First on one line: a secret may hide in pieces; cut last: half a secret is one too.
        return one_line(redact(one_line(text, 20_000), secret_values), CHARACTERS)

    try:
        found = run(CHECKS, context)
    finally:
        end_running()
    return [(name, CheckResult(result.status, shown(result.what), shown(result.remedy))) for name, result in found]
