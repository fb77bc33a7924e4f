"""Runs the checks in parallel with a time limit, so that one that hangs does not hold up the others."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gitlab_mcp.config.environment import is_ci
from gitlab_mcp.config.settings import Flags, known
from gitlab_mcp.doctor import (
    access_token,
    branches,
    checkout,
    configuration,
    connectivity,
    job_token,
    model,
    project_job,
    project_setup,
    project_variables,
    registration,
    trigger,
    versions,
)
from gitlab_mcp.doctor.background import begin
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, describe, skipped
from gitlab_mcp.errors import Failure
from gitlab_mcp.git.process import end_running
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line

# The first connection to GitLab has 10 s, and the further requests another 10 s.
CHECK_SECONDS = 22.0
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

# The checks of a project's set-up from outside its jobs: those of a job, each as far as it can be done there.
_FROM_OUTSIDE = {check.id: check for check in (*project_setup.CHECKS, *project_variables.CHECKS, *project_job.CHECKS)}
_AS_IN_A_JOB = ("configuration", "credential", "reachable", "token", "project", "default-branch")
_OF_NO_USE = ("ignored-tokens", "scopes")  # they are about the token of whoever looks
OUTSIDE_CHECKS = (
    *(
        _FROM_OUTSIDE.get(check.id) or (check if check.id in _AS_IN_A_JOB else project_setup.only_in_a_job(check))
        for check in CHECKS
        if check.id not in _OF_NO_USE
    ),
    *(check for check in _FROM_OUTSIDE.values() if check.id not in {one.id for one in CHECKS}),
)


def checks_of(flags: Flags, environ: Mapping[str, str]) -> tuple[Check, ...]:
    """The checks of a run; with --project outside CI, those of that project's set-up."""
    return OUTSIDE_CHECKS if flags.project and not is_ci(environ) else CHECKS


def examine(
    flags: Flags, environ: Mapping[str, str], directory: Path, only: Sequence[str] = ()
) -> list[tuple[str, CheckResult]]:
    """Run all checks, or those with the ids `only`, within half a minute.

    Returns the id and result of each that has something to report. The texts are on one line, with secrets redacted and
    invisible characters escaped. Raises SettingsError for an unknown id.
    """
    every = checks_of(flags, environ)
    known(only, [check.id for check in every], "check")
    checks = [check for check in every if not only or check.id in only]
    context = DoctorContext(flags, environ, directory)
    secret_values = context.secret_values

    def safe(text: str) -> str:
        # Joined to one line first, since a line end may split a secret; cut last, since half a secret is one too.
        return one_line(redact(one_line(text, 20_000), secret_values), MESSAGE_CHARACTERS)

    try:
        results = run(checks, context)
    finally:
        end_running()
    return [
        (name, replace(result, what=safe(result.what), remedy=safe(result.remedy), why=safe(result.why)))
        for name, result in results
    ]


def run(checks: Iterable[Check], context: DoctorContext) -> list[tuple[str, CheckResult]]:
    """The id and result of each check that has something to report, in the order of `checks`."""
    deadline = time.monotonic() + CHECK_SECONDS
    running = [(check, begin(partial(_examine, check, context), deadline)) for check in checks]
    results: list[tuple[str, CheckResult]] = []
    for check, wait in running:
        try:
            result = wait()
        except TimeoutError:
            result = skipped(f"{check.about}: the check did not end within {CHECK_SECONDS:.0f} s", "Run it again.")
        if result is not None:
            results.append((check.id, result))
    return results


def _examine(check: Check, context: DoctorContext) -> CheckResult | None:
    try:
        return check.examine(context)
    except Skipped as reason:
        return skipped(f"{check.about}: {reason}", reason.remedy, check.about, str(reason))
    except Failure as failure:
        return skipped(f"{check.about}: {describe(failure)}", "Look at what failed above, then run it again.")
    except Exception as error:  # noqa: BLE001  # a bug in one check must not hide the results of the others
        what = f"{check.about}: the check failed with an internal error ({type(error).__name__})"
        return skipped(what, "Report it to gitlab-mcp-server, with this line.")
