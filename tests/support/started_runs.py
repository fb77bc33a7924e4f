"""The options of a run whose pipeline a listener started: for a comment, or for a label or an assignment."""

from typing import Any

from gitlab_mcp.api.mention_digest import mention_digest
from gitlab_mcp.api.tracking_note import NotePlace
from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get, send
from tests.support.seed import SeededItem


def digest(sandbox: Sandbox, item: SeededItem, place: NotePlace | None = None) -> str:
    """The digest of the texts as they are now."""
    subject = get(sandbox, item.path)
    comment = get(sandbox, f"{item.path}/notes/{place.mention}")["body"] if place else ""
    return mention_digest(comment, subject["title"], subject["description"] or "")


def options(sandbox: Sandbox, item: SeededItem, place: NotePlace | None = None, tracking_note: int = 0) -> list[str]:
    """The options that the template passes on."""
    return [
        f"--noteable={item.path.strip('/')}",
        f"--note={place.mention if place else ''}",
        f"--tracking-note={tracking_note or ''}",
        f"--digest={digest(sandbox, item, place)}",
    ]


def variables(sandbox: Sandbox, item: SeededItem, place: NotePlace | None = None) -> dict[str, str]:
    """The variables with the same meaning."""
    return {
        "GITLAB_MCP_ISSUE" if item.noun == "issue" else "GITLAB_MCP_MERGE_REQUEST": str(item.iid),
        "GITLAB_MCP_NOTE": str(place.mention) if place else "",
        "GITLAB_MCP_DIGEST": digest(sandbox, item, place),
    }


def new_pipeline(sandbox: Sandbox) -> str:
    """The id of another pipeline of main."""
    started: dict[str, Any] = send(sandbox, "POST", "/pipeline", "maintainer", ref="main")
    return str(started["id"])
