"""Running the checks side by side, each of them bounded, so that the whole ends in time whatever hangs."""

import time
from collections.abc import Iterable
from functools import partial

from gitlab_mcp.doctor.background import begin
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, skipped, told_by
from gitlab_mcp.errors import Failure

# The way to GitLab has 10 s, and what is asked over it another 10 s; then nobody waits any more.
CHECK_SECONDS = 22.0


def run(checks: Iterable[Check], context: DoctorContext) -> list[tuple[str, CheckResult]]:
    """The verdicts of the checks that have something to say, with their ids, in order."""
    ends = time.monotonic() + CHECK_SECONDS
    begun = [(check, begin(partial(_examined, check, context))) for check in checks]
    found: list[tuple[str, CheckResult]] = []
    for check, future in begun:
        try:
            result = future.result(max(0.0, ends - time.monotonic()))
        except TimeoutError:
            result = skipped(f"{check.about}: it did not end within {CHECK_SECONDS:.0f} s", "Run it again.")
        if result is not None:
            found.append((check.id, result))
    return found


def _examined(check: Check, context: DoctorContext) -> CheckResult | None:
    try:
        return check.examine(context)
    except Skipped as untold:
        return skipped(f"{check.about}: {untold}", untold.remedy)
    except Failure as failure:
        return skipped(f"{check.about}: {told_by(failure)}", "Look at what failed above, then run it again.")
    except Exception as error:  # noqa: BLE001  # one check that breaks must not hide what the others found
        fault = f"{check.about}: this check broke ({type(error).__name__}), which is a fault of gitlab-mcp-server"
        return skipped(fault, "Report it, with this line.")
