"""New texts for what is stored on GitLab: a part of it is replaced, or the whole, if nothing gets lost by that."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render.user_text import shown_description
from gitlab_mcp.safety.sanitize import one_line, sanitize
from gitlab_mcp.safety.write_back import check_write_back, replace_once
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import UNCHANGED


def edited_description(ctx: Ctx, path: str, title: str, description: str, old_text: str) -> str | None:
    """Return the description to store for the issue or merge request at an API path; None leaves it as it is.

    Raises InvalidArgument where `old_text` is not in it once, Refused where a title or a whole description would lose
    what is stored and not shown.
    """
    if old_text and description == UNCHANGED:
        raise InvalidArgument("old_text goes with description, which replaces it: give both.")
    if not title and description == UNCHANGED:
        return None
    stored = ctx.gitlab.get(path)
    if title:
        _check_title(stored, title)
    if description == UNCHANGED:
        return None
    text = stored.text("description")
    if old_text:
        return edited("description", text, description, old_text)
    check_write_back("description", text, description, shown_description(text))
    return description


def edited_body(stored: str, body: str, old_text: str) -> str:
    """Return the text to store for a comment. Raises as `edited_description` does."""
    if old_text:
        return edited("body", stored, body, old_text)
    check_write_back("body", stored, body, sanitize(stored))
    return body


def edited(name: str, stored: str, new: str, old_text: str) -> str:
    """Return a stored text with `new` in place of `old_text`."""
    return replace_once(f"the {name}", *(text.encode("utf-8", "replace") for text in (stored, old_text, new))).decode()


def _check_title(stored: Entity, title: str) -> None:
    check_write_back(
        "title", " ".join(stored.text("title").split()), title.strip(), one_line(stored.text("title"), 300)
    )
