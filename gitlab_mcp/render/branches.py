"""Render branches and tags."""

from collections.abc import Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.errors import naming
from gitlab_mcp.render.markdown import confirmed, facts
from gitlab_mcp.safety.sanitize import one_line


def branch_row(branch: Entity) -> str:
    """Render a branch in a list."""
    commit = branch.entity("commit")
    return facts(
        one_line(branch.text("name"), 255),
        f"{commit.sha('short_id')} {one_line(commit.text('title'), 120)}",
        commit.day("committed_date"),
        "default" if branch.flag("default") else "",
        "protected" if branch.flag("protected") else "",
        "merged" if branch.flag("merged") else "",
    )


def branch_created(written: WriteResult[Entity], start: str, pipelines: str) -> str:
    """Render the answer of create_branch; `pipelines` says which pipelines start for the branch."""
    branch = written.result
    return f"Created branch {_name(branch)} from {start}.{confirmed(written)} {pipelines}\n{branch.url('web_url')}"


def branch_exists(branch: Entity, start: str) -> str:
    """Render the answer of create_branch when the branch exists already and is at the commit of `start`."""
    return f"Branch {_name(branch)} already exists, at {start}; nothing was changed.\n{branch.url('web_url')}"


def branch_deleted(written: WriteResult[Entity], merge_requests: Sequence[Entity]) -> str:
    """Render the answer of delete_branch, with the commit of the branch, so that it can be created again.

    `merge_requests` are those that were open from it, which GitLab closes.
    """
    name, commit = one_line(written.result.text("name"), 255), written.result.sha("commit", "id")
    undo = naming(": {} with that as ref undoes it", "create_branch")
    answer = f"Deleted branch {name}.{confirmed(written)}\nIt was at {commit}{undo}."
    if not merge_requests:
        return answer
    closed = ", ".join(f"!{each.number('iid')}" for each in merge_requests)
    reopens = naming("; {} with state: reopen does, once the branch is there again", "update_merge_request")
    return f"{answer}\nGitLab closes {closed} with it, which creating the branch again does not undo{reopens}."


def _name(branch: Entity) -> str:
    return f"{one_line(branch.text('name'), 255)} ({branch.sha('commit', 'short_id')})"


def tag_row(tag: Entity) -> str:
    """Render a tag in a list."""
    commit = tag.entity("commit")
    return facts(
        one_line(tag.text("name"), 255),
        f"{commit.sha('short_id') or commit.sha('id')[:8]} {one_line(commit.text('title'), 120)}",
        tag.day("created_at") or commit.day("committed_date"),
        one_line(tag.text("message"), 120),
        "protected" if tag.flag("protected") else "",
    )
