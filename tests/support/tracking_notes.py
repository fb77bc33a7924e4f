"""The tracking note of a run on an issue of the sandbox, and the comments that stand there."""

from typing import Any
from urllib.parse import quote

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.tracking_note import NotePlace
from gitlab_mcp.safety.marker import marker_of, unmarked
from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get, send
from tests.support.seed import SEED, SeededItem
from tests.support.settings import settings_for

RUN = "602"


def client(sandbox: Sandbox, user: str = "developer", **changes: Any) -> GitLab:
    """GitLab as a run sees it that has the access token of `user`."""
    return GitLab(settings_for(sandbox, user, **changes))


def asked(sandbox: Sandbox, item: SeededItem, text: str, who: str = "maintainer", **more: Any) -> NotePlace:
    """A new comment that asks for a run, and the place where the run answers it."""
    note = send(sandbox, "POST", f"{item.path}/notes", who, body=text, **more)
    threads = get(sandbox, f"{item.path}/discussions?per_page=100")
    thread = next(each["id"] for each in threads if note["id"] in [one["id"] for one in each["notes"]])
    noteable = f"/projects/{quote(sandbox.project, safe='')}{item.path}"
    return NotePlace(noteable, thread, note["id"], internal=note["internal"])


def top_level(sandbox: Sandbox, item: SeededItem = SEED.crash_issue) -> NotePlace:
    """The place of a run that answers no comment."""
    return NotePlace(f"/projects/{quote(sandbox.project, safe='')}{item.path}")


def answers(sandbox: Sandbox, place: NotePlace) -> list[dict[str, Any]]:
    """The comments of a thread behind its first, oldest first; all tracking notes where the place has no thread."""
    path = place.noteable.partition(quote(sandbox.project, safe=""))[2]
    if place.thread:
        notes: list[dict[str, Any]] = get(sandbox, f"{path}/discussions/{place.thread}")["notes"][1:]
        return notes
    return [note for note in get(sandbox, f"{path}/notes?per_page=100&sort=asc") if marker_of(note["body"])]


def texts(sandbox: Sandbox, place: NotePlace) -> list[str]:
    """The texts of these comments, without their markers."""
    return [unmarked(note["body"]) for note in answers(sandbox, place)]
