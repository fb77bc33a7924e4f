"""Searching a project without advanced search: its files by git grep, the rest by the words in titles and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitlab_mcp.sandbox.entities import commits, projects
from gitlab_mcp.sandbox.entities.issues import issue_basic
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_basic
from gitlab_mcp.sandbox.entities.notes import note
from gitlab_mcp.sandbox.entities.users import user_basic
from gitlab_mcp.sandbox.git.search import Piece, search
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import not_implemented
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import permissions

# lib/api/helpers/search_helpers.rb: the scopes of a project.
_SCOPES = "blobs|commits|issues|merge_requests|milestones|notes|users|wiki_blobs"
_PARAMETERS = (
    f"scope*:enum({_SCOPES}) search* ref state:enum(all|opened|closed|merged) confidential:bool "
    "order_by:enum(created_at) sort:enum(asc|desc)=desc"
)


@route("GET", "/projects/:id/search", _PARAMETERS, user_needed=True)
@route("GET", "/projects/:id/-/search", _PARAMETERS, user_needed=True)
def search_project(call: Call) -> Response:
    scope = call.params["scope"]
    if scope == "wiki_blobs":
        raise not_implemented("the search scope wiki_blobs")
    return _SEARCHES[scope](call)


def _contains(call: Call, *texts: str | None) -> bool:
    """Whether the words stand in one of the texts, ignoring case."""
    return any(call.params["search"].lower() in (text or "").lower() for text in texts)


def _blobs(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    ref = call.get("ref") or repo.default_branch
    sha = repo.resolve(ref)
    pieces = search(repo, sha, call.params["search"]) if sha else []

    def present(piece: Piece) -> dict[str, Any]:
        return {
            "basename": piece.path.rsplit(".", 1)[0],
            "data": piece.data,
            "path": piece.path,
            "filename": piece.path,
            "id": None,
            "ref": ref,
            "startline": piece.first,
            "project_id": call.project.id,
        }

    return paginate(call, pieces, present)


def _commits(call: Call) -> Response:
    """Commits whose message has the words (Gitlab::ProjectSearchResults#find_commits_by_message)."""
    call.require_code()
    repo = call.project.repository
    sha = repo.resolve(call.get("ref") or repo.default_branch)
    options = ["--fixed-strings", "--regexp-ignore-case", f"--grep={call.params['search']}"]
    found = repo.log([*options, sha, "--"]) if sha else []
    return paginate(call, found, lambda one: commits.commit_detail(call.world, call.project, one, stats=False))


def _sorted(call: Call, found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=call.params["sort"] == "desc")


def _in_state(call: Call, items: list[Any]) -> list[Any]:
    state = call.get("state")
    return items if state in (None, "all") else [one for one in items if one.state == state]


def _issues(call: Call) -> Response:
    readable = [one for one in list(call.project.issues.values()) if permissions.may_read_issue(call.user, one)]
    if call.has("confidential"):
        readable = [one for one in readable if one.confidential == call.params["confidential"]]
    found = [one for one in _in_state(call, readable) if _contains(call, one.title, one.description)]
    return paginate(call, _sorted(call, found), lambda one: issue_basic(call.world, one))


def _merge_requests(call: Call) -> Response:
    call.require_code()
    requests = _in_state(call, list(call.project.merge_requests.values()))
    found = [one for one in requests if _contains(call, one.title, one.description)]
    return paginate(call, _sorted(call, found), lambda one: merge_request_basic(call.world, one))


def _milestones(call: Call) -> Response:
    found = [one for one in list(call.project.milestones) if _contains(call, one.title, one.description)]
    return paginate(call, _sorted(call, found), lambda one: projects.milestone(call.world, call.project, one))


def _notes(call: Call) -> Response:
    """Comments, newest first; system notes are not searched (NotesFinder)."""
    noteables: list[Any] = [
        one for one in list(call.project.issues.values()) if permissions.may_read_issue(call.user, one)
    ]
    if permissions.may_read_code(call.user, call.project):
        noteables += list(call.project.merge_requests.values())
    found = {
        each: noteable
        for noteable in noteables
        for each in list(noteable.notes)
        if not each.system and permissions.may_read_note(call.user, noteable, each) and _contains(call, each.body)
    }
    return paginate(call, _sorted(call, list(found)), lambda each: note(call.world, found[each], each))


def _users(call: Call) -> Response:
    found = [one for one in call.project.members if _contains(call, one.username, one.name)]
    return paginate(call, found, lambda one: user_basic(call.world, one))


_SEARCHES: dict[str, Callable[[Call], Response]] = {
    "blobs": _blobs,
    "commits": _commits,
    "issues": _issues,
    "merge_requests": _merge_requests,
    "milestones": _milestones,
    "notes": _notes,
    "users": _users,
}
