"""Render the answers of merging and rebasing."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merging import Rebased
from gitlab_mcp.render.field_comparison import not_set
from gitlab_mcp.render.markdown import confirmed
from gitlab_mcp.safety.sanitize import one_line


def merged(written: WriteResult[Entity], asked: Asked, sign: str) -> str:
    """Render the answer of merge_merge_request: the merge commit, or that the merge request will be merged.

    `asked` are the options that were given, of which those that GitLab did not take are named.
    """
    entity = written.result
    into = one_line(entity.text("target_branch"), 255)
    commit = entity.sha("merge_commit_sha") or entity.sha("squash_commit_sha") or entity.sha("sha")
    done = f"Merged {sign} into {into} as {commit[:12]}."
    if entity.text("state") != "merged":
        done = f"{sign} is set to auto-merge into {into}, as soon as it can be merged."
    differences = not_set(not_taken(asked, entity), "Developer")
    return f"{done}{confirmed(written)}\n{entity.url('web_url')}{differences}"


def rebased(done: Rebased, sign: str) -> str:
    """Render the answer of rebase_merge_request, with the head after it."""
    entity = done.merge_request.result
    head = entity.sha("sha")[:12]
    onto = one_line(entity.text("target_branch"), 255)
    answer = f"{sign} is already on top of {onto}: its head is still {head}."
    if done.moved:
        answer = f"Rebased {sign} onto {onto}: its head is {head} now."
    return f"{answer}{confirmed(done.merge_request)}\n{entity.url('web_url')}"
