"""What a review answers."""

from collections.abc import Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.submit import Outcome
from gitlab_mcp.render.text import count
from gitlab_mcp.safety.sanitize import one_line

VERDICTS = {"comment": "", "approve": ", approved", "request_changes": ", changes requested"}
SHOWN = 400


def reviewed(merge_request: Entity, outcome: Outcome, verdict: str, misplaced: Sequence[str], url: str) -> str:
    """What was posted and where, what was not and why."""
    there = len(outcome.notes)
    again = f" ({outcome.again} of them already there)" if outcome.again else ""
    done = "" if outcome.remarks and verdict == "request_changes" else VERDICTS[verdict]
    head = (
        f"Reviewed !{merge_request.number('iid')} at {merge_request.sha('sha')[:12]}: {count(there, 'comment')}{again}"
    )
    lines = [f"{head}{done}.", url]
    lines += [f"n{number} {where}" for where, number in outcome.notes]
    if refused := [*misplaced, *outcome.refused]:
        lines += ["Not posted:", *(one_line(each, SHOWN) for each in refused)]
    return "\n".join([*lines, *(one_line(remark, SHOWN) for remark in outcome.remarks)])
