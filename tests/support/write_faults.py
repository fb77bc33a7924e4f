"""Faults on writes: the answer is lost, or GitLab refuses for a moment."""

from gitlab_mcp.sandbox import Sandbox

CONFIRMED = "(its response was lost; a lookup confirmed it)"
FAULTS = ("drop before", "drop after", "502", "503", "504", "429")


def fault(sandbox: Sandbox, kind: str, method: str, path: str, times: int = 1) -> None:
    """Put a fault on the next write."""
    sandbox.faults.clear()
    if kind.startswith("drop"):
        sandbox.faults.drop(method, path, when=kind.removeprefix("drop "), times=times)
    elif kind == "429":
        sandbox.faults.rate_limit(method, path, retry_after=1, times=times)
    else:
        sandbox.faults.fail(method, path, status=int(kind), times=times)
