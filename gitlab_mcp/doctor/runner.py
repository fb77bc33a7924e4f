"""Runs the checks in parallel with a time limit, so that one that hangs does not hold up the others."""

import time
from collections.abc import Iterable
from functools import partial

from gitlab_mcp.doctor.background import begin
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, describe, skipped
from gitlab_mcp.errors import Failure

# The first connection to GitLab has 10 s, and the further requests another 10 s.
CHECK_SECONDS = 22.0


def run(checks: Iterable[Check], context: DoctorContext) -> list[tuple[str, CheckResult]]:
    """The id and result of each check that has something to report, in the order of `checks`."""
    deadline = time.monotonic() + CHECK_SECONDS
    running = [(check, begin(partial(_examine, check, context))) for check in checks]
    results: list[tuple[str, CheckResult]] = []
    for check, future in running:
        try:
            result = future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            result = skipped(f"{check.about}: the check did not end within {CHECK_SECONDS:.0f} s", "Run it again.")
        if result is not None:
            results.append((check.id, result))
    return results


def _examine(check: Check, context: DoctorContext) -> CheckResult | None:
    try:
        return check.examine(context)
    except Skipped as reason:
        return skipped(f"{check.about}: {reason}", reason.remedy)
    except Failure as failure:
        return skipped(f"{check.about}: {describe(failure)}", "Look at what failed above, then run it again.")
    except Exception as error:  # noqa: BLE001  # a bug in one check must not hide the results of the others
        what = f"{check.about}: the check failed with an internal error ({type(error).__name__})"
        return skipped(what, "Report it to gitlab-mcp-server, with this line.")
