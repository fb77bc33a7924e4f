"""Running the checks side by side, each of them bounded, so that the whole ends in time whatever hangs."""

import time
from collections.abc import Iterable
from functools import partial

from gitlab_mcp.doctor.surroundings import Surroundings
from gitlab_mcp.doctor.threads import begin
from gitlab_mcp.doctor.verdict import Check, Untold, Verdict, told_by, unknown
from gitlab_mcp.errors import Failure

# The way to GitLab has 10 s, and what is asked over it another 10 s; then nobody waits any more.
SECONDS = 22.0


def run(checks: Iterable[Check], surroundings: Surroundings) -> list[tuple[str, Verdict]]:
    """The verdicts of the checks that have something to say, with their ids, in order."""
    ends = time.monotonic() + SECONDS
    begun = [(check, begin(partial(_examined, check, surroundings))) for check in checks]
    found: list[tuple[str, Verdict]] = []
    for check, future in begun:
        try:
            verdict = future.result(max(0.0, ends - time.monotonic()))
        except TimeoutError:
            verdict = unknown(f"{check.about}: it did not end within {SECONDS:.0f} s", "Run it again.")
        if verdict is not None:
            found.append((check.id, verdict))
    return found


def _examined(check: Check, surroundings: Surroundings) -> Verdict | None:
    try:
        return check.examine(surroundings)
    except Untold as untold:
        return unknown(f"{check.about}: {untold}", untold.remedy)
    except Failure as failure:
        return unknown(f"{check.about}: {told_by(failure)}", "Look at what failed above, then run it again.")
    except Exception as error:  # noqa: BLE001  # one check that breaks must not hide what the others found
        fault = f"{check.about}: this check broke ({type(error).__name__}), which is a fault of gitlab-mcp-server"
        return unknown(fault, "Report it, with this line.")
