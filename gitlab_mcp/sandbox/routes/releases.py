"""Releases."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, conflict, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Release
from gitlab_mcp.sandbox.state.users import DEVELOPER

_ALL = "/projects/:id/releases"


def _entity(call: Call, one: Release) -> dict[str, Any]:
    repo, url = call.project.repository, web_url(call.world, call.project)
    sha = repo.resolve(one.tag_name)
    return {
        "tag_name": one.tag_name,
        "name": one.name,
        "description": one.description,
        "created_at": stamp(one.released_at),
        "released_at": stamp(one.released_at),
        "upcoming_release": one.released_at > call.world.now(),
        "author": user_basic(call.world, one.author),
        "commit": repository.commit(call.world, call.project, repo.commit(sha)) if sha else None,
        "commit_path": f"/{call.project.full_path}/-/commit/{sha}",
        "tag_path": f"/{call.project.full_path}/-/tags/{one.tag_name}",
        "assets": {"count": 0, "sources": [], "links": []},
        "evidences": [],
        "_links": {"self": f"{url}/-/releases/{one.tag_name}"},
    }


@route("GET", _ALL, "order_by:enum(released_at|created_at)=released_at sort:enum(asc|desc)=desc", job_token=True)
def list_releases(call: Call) -> Response:
    releases = sorted(call.project.releases, key=lambda one: one.released_at, reverse=call.get("sort") == "desc")
    return paginate(call, releases, lambda one: _entity(call, one))


@route("POST", _ALL, "tag_name* name description ref released_at:dt")
def create_release(call: Call) -> Any:
    call.require(DEVELOPER)
    tag, repo = call.params["tag_name"], call.project.repository
    if any(one.tag_name == tag for one in call.project.releases):
        raise conflict("Release already exists")
    if tag not in {one.name for one in repo.tags()}:
        ref = call.get("ref")
        sha = repo.resolve(ref) if ref else None
        if sha is None:
            raise not_found("Ref") if ref else bad_request("Ref is not specified")
        repo.update_ref(f"refs/tags/{tag}", sha, None)
    when = call.get("released_at") or call.world.now()
    release = Release(tag, call.get("name") or tag, call.get("description") or "", call.me, when)
    call.project.releases.append(release)
    return _entity(call, release)
