"""What a listener did about a comment on the sandbox's crash issue: its pipelines, its answers and its reactions."""

from typing import Any

from gitlab_mcp.safety.marker import unmarked
from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get
from tests.support.seed import SEED


def pipelines(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The pipelines that trigger tokens started, newest first, 100 at most."""
    found: list[dict[str, Any]] = get(sandbox, "/pipelines?source=trigger&per_page=100")
    return found


def variables(sandbox: Sandbox, pipeline: int) -> dict[str, str]:
    """The variables of a pipeline without its TRIGGER_PAYLOAD."""
    rows = get(sandbox, f"/pipelines/{pipeline}/variables")
    return {row["key"]: row["value"] for row in rows if row["key"] != "TRIGGER_PAYLOAD"}


def pipelines_for(sandbox: Sandbox, note: dict[str, Any]) -> list[int]:
    """The pipelines that were started by variables for a comment."""
    started = [one for one in list(sandbox.world.projects[sandbox.project_id].pipelines.values()) if one.variables]
    wanted = {"key": "GITLAB_MCP_NOTE", "value": str(note["id"])}
    return [one.id for one in started if any(wanted.items() <= row.items() for row in one.variables)]


def replies(sandbox: Sandbox, note: dict[str, Any]) -> list[str]:
    """The comments in the thread of a comment behind it, without their markers."""
    notes = sandbox.world.projects[sandbox.project_id].issues[SEED.crash_issue.iid].notes
    thread = next(one.discussion_id for one in notes if one.id == note["id"])
    return [unmarked(one.body) for one in list(notes) if one.discussion_id == thread and one.id > note["id"]]


def reactions(sandbox: Sandbox, note: dict[str, Any]) -> list[str]:
    """The names of the reactions to a comment."""
    rows = get(sandbox, f"{SEED.crash_issue.path}/notes/{note['id']}/award_emoji")
    return [row["name"] for row in rows]
