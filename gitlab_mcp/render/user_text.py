"""What people wrote, with who they are; the one place that withholds it."""

import re

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.markdown import cut, quote
from gitlab_mcp.safety.sanitize import one_line

DESCRIPTION_BYTES = 16_000


def mention(username: str) -> str:
    """`@username`; a name that GitLab could not have is quoted instead (it comes from outside)."""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", username):
        return f"@{username}"
    return '"{}"'.format(one_line(username, 60).replace('"', "'")) if username else "(unknown)"


def byline(text: Entity, authors: Authors) -> str:
    """`by @username 2026-11-20`, and their standing where it matters."""
    author = text.entity("author")
    return f"by {mention(author.text('username'))} {text.day('created_at')}{authors.role_remark(author)}"


def title(text: Entity, authors: Authors, characters: int = 200) -> str:
    """The title of an issue or merge request, on one line."""
    author = text.entity("author")
    return _withheld("title", author) if authors.withholds(author) else one_line(text.text("title"), characters)


def words(text: Entity, key: str, authors: Authors) -> str:
    """What somebody wrote, quoted line by line."""
    author = text.entity("author")
    if authors.withholds(author) and not text.flag("system"):
        return _withheld("text", author)
    return quote(text.text(key))


def description(text: Entity, authors: Authors) -> str:
    """The description of an issue or merge request, quoted, as far as there is room."""
    if not text.text("description").strip():
        return "(no description)"
    return cut(words(text, "description", authors), DESCRIPTION_BYTES, "the whole is at the URL above")


def _withheld(what: str, author: Entity) -> str:
    return f"({what} withheld: {mention(author.text('username'))} is not known to be Developer or more)"
