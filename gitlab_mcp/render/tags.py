"""Tags as an agent reads them."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.text import facts
from gitlab_mcp.safety.sanitize import one_line


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
