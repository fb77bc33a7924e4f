"""What merging and rebasing answer."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merging import Rebased
from gitlab_mcp.render.markdown import confirmed
from gitlab_mcp.safety.sanitize import one_line


def merged(written: WriteResult[Entity], sign: str) -> str:
    """Whether it is merged, and as which commit, or will be."""
    entity = written.result
    into = one_line(entity.text("target_branch"), 255)
    commit = entity.sha("merge_commit_sha") or entity.sha("squash_commit_sha") or entity.sha("sha")
    done = f"Merged {sign} into {into} as {commit[:12]}."
    if entity.text("state") != "merged":
        done = f"{sign} is set to be merged into {into} by itself, as soon as it can be."
    return f"{done}{confirmed(written)}\n{entity.url('web_url')}"


def rebased(done: Rebased, sign: str) -> str:
    """Which head it has now."""
    entity = done.merge_request.result
    head = entity.sha("sha")[:12]
    onto = one_line(entity.text("target_branch"), 255)
    said = (
        f"Rebased {sign} onto {onto}: its head is {head} now." if done.moved else f"{sign} is on top of {onto}: {head}."
    )
    return f"{said}{confirmed(done.merge_request)}\n{entity.url('web_url')}"
