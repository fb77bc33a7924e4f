"""Render text that users wrote, with its authors. The user-content filter (--trusted-only) is applied only here."""

import re
from collections.abc import Iterable

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.trigger import EditedEntity
from gitlab_mcp.config.job_context import PLAIN_BRANCH_NAME
from gitlab_mcp.render.markdown import cut, facts, quote
from gitlab_mcp.safety.marker import unmarked
from gitlab_mcp.safety.sanitize import one_line, quoted_line
from gitlab_mcp.safety.write_back import not_as_stored

DESCRIPTION_BYTES = 16_000
WHERE_ALL_IS = "the URL above shows all of it"
SINCE = "after this run was asked for"
EDIT_WITHHELD = f"({{}} withheld: it may have been edited {SINCE})"


def mention(username: str) -> str:
    """Return `@username`; a name that is not a valid username of GitLab is quoted instead, because it is untrusted."""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", username):
        return f"@{username}"
    return quoted_line(username, 60) if username else "(unknown)"


def ref_name(name: str) -> str:
    """Return the name of a branch or tag; where it has other than plain characters, on one line and in quotes."""
    return name if PLAIN_BRANCH_NAME.fullmatch(name) else quoted_line(name, 255)


def byline(text: Entity, authors: Authors) -> str:
    """Return `by @username 2026-11-20`, with the standing of the author, such as `(not a member)`.

    It also says which fields were edited after this run was asked for.
    """
    author = text.entity("author")
    edited = edited_remark(text)
    return facts(f"by {mention(author.text('username'))} {text.day('created_at')}{authors.role_remark(author)}", edited)


def edited_remark(text: Entity) -> str:
    """Return which fields of a text were edited after this run was asked for; "" for none."""
    if not isinstance(text, EditedEntity):
        return ""
    if not text.fields:
        return f"not known whether edited {SINCE}"
    names = "" if text.fields == ("body",) else f"{' and '.join(text.fields)} "
    return f"{names}edited {SINCE}"


def title(text: Entity, authors: Authors, characters: int = 200) -> str:
    """Return the title of an issue or merge request on one line, or that it is withheld."""
    author = text.entity("author")
    if _is_withheld_edit(text, "title", authors):
        return EDIT_WITHHELD.format("title")
    return _withheld("title", author) if authors.withholds(author) else one_line(text.text("title"), characters)


def words(text: Entity, key: str, authors: Authors) -> str:
    """Return the text in field `key`, quoted line by line, or that it is withheld."""
    author = text.entity("author")
    if authors.withholds(author) and not text.flag("system"):
        return _withheld("text", author)
    if _is_withheld_edit(text, key, authors):
        return EDIT_WITHHELD.format("text")
    authors.vouch(author, text.text(key))
    return quote(unmarked(text.text(key)))


def description(text: Entity, authors: Authors) -> str:
    """Return the description of an issue or merge request, quoted and cut, or that it is withheld."""
    if not text.text("description").strip():
        return "(no description)"
    return cut(words(text, "description", authors), DESCRIPTION_BYTES, WHERE_ALL_IS)


def stored_otherwise(
    texts: Iterable[tuple[Entity, str]], authors: Authors, code: Iterable[tuple[str, str]] = ()
) -> str:
    """Return a line, after an empty one, that says what of these fields is not shown as stored; "" for nothing.

    `texts` are entities with the key of a field; `code` is stored text beside what is shown of it.
    """
    shown = [
        (unmarked(text.text(key)), key)
        for text, key in texts
        if not authors.withholds(text.entity("author")) and not _is_withheld_edit(text, key, authors)
    ]
    markdown = (text for text, key in shown if key != "title")
    line = not_as_stored(markdown, plain_texts=(text for text, key in shown if key == "title"), code=code)
    return f"\n\n{line}" if line else ""


def shown_description(description: str) -> str:
    """Return the text of a description as `description` shows it, without the marks of the quote."""
    lines = cut(quote(description), DESCRIPTION_BYTES, WHERE_ALL_IS).split("\n")
    return "\n".join(line.removeprefix("> ") if line != ">" else "" for line in lines)


def _is_withheld_edit(text: Entity, key: str, authors: Authors) -> bool:
    return authors.trusted_only and isinstance(text, EditedEntity) and (key in text.fields or not text.fields)


def _withheld(what: str, author: Entity) -> str:
    return f"({what} withheld: {mention(author.text('username'))} is not known to be Developer or more)"
