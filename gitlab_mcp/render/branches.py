"""Branches as an agent reads them."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.render.markdown import confirmed, facts
from gitlab_mcp.safety.sanitize import one_line


def branch_row(branch: Entity) -> str:
    """A branch in a list."""
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
    """What create_branch answers, and what starts for it."""
    branch = written.result
    return f"Created branch {_name(branch)} from {start}.{confirmed(written)} {pipelines}\n{branch.url('web_url')}"


def branch_there(branch: Entity, start: str) -> str:
    """What create_branch answers when the branch is already where it should begin."""
    return f"Branch {_name(branch)} is already there, at {start}; nothing was changed.\n{branch.url('web_url')}"


def branch_deleted(written: WriteResult[Entity]) -> str:
    """What delete_branch answers: where the branch was, so that it can be made again."""
    name, commit = one_line(written.result.text("name"), 255), written.result.sha("commit", "id")
    return f"Deleted branch {name}.{confirmed(written)}\nIt was at {commit}: create_branch with that as ref undoes it."


def _name(branch: Entity) -> str:
    return f"{one_line(branch.text('name'), 255)} ({branch.sha('commit', 'short_id')})"


def tag_row(tag: Entity) -> str:
    """A tag in a list."""
    commit = tag.entity("commit")
    return facts(
        one_line(tag.text("name"), 255),
        f"{commit.sha('short_id') or commit.sha('id')[:8]} {one_line(commit.text('title'), 120)}",
        tag.day("created_at") or commit.day("committed_date"),
        one_line(tag.text("message"), 120),
        "protected" if tag.flag("protected") else "",
    )
