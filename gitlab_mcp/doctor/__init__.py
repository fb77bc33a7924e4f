"""The doctor: checks of a run, from the connection to GitLab to the model's credentials, each with its remedy."""

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

MESSAGE_CHARACTERS = 700

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
    """Run all checks, within half a minute; returns the id and result of each that has something to report.

    The texts are on one line, with secrets redacted and invisible characters escaped.
    """
    context = DoctorContext(flags, environ, directory)
    secret_values = context.secret_values

    def safe(text: str) -> str:
        # Joined to one line first, since a line end may split a secret; cut last, since half a secret is one too.
        return one_line(redact(one_line(text, 20_000), secret_values), MESSAGE_CHARACTERS)

    try:
        results = run(CHECKS, context)
    finally:
        end_running()
    return [(name, CheckResult(result.status, safe(result.what), safe(result.remedy))) for name, result in results]
