"""Releases (lib/api/releases.rb)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.entities.projects import milestone, web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.git.repository import RefMoved, valid_branch_name
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, conflict, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Milestone, Release
from gitlab_mcp.sandbox.state.pipelines import tag_pushed
from gitlab_mcp.sandbox.state.users import DEVELOPER

_ALL = "/projects/:id/releases"
_ONE = f"{_ALL}/:tag_name"
_FORMATS = ("zip", "tar.gz", "tar.bz2", "tar")
_LINK_TYPES = ("other", "runbook", "image", "package")


def _entity(call: Call, one: Release) -> dict[str, Any]:
    """Release."""
    repo, url = call.project.repository, web_url(call.world, call.project)
    sha = repo.resolve(one.tag_name)
    name = f"{call.project.path}-{one.tag_name}"
    sources = [
        {"format": form, "url": f"{url}/-/archive/{quote(one.tag_name)}/{quote(name)}.{form}"} for form in _FORMATS
    ]
    entity: dict[str, Any] = {
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
        "assets": {"count": len(sources) + len(one.links), "sources": sources, "links": one.links},
        "evidences": [],
        "_links": {"self": f"{url}/-/releases/{one.tag_name}"},
    }
    if one.milestones:
        entity["milestones"] = [_with_stats(call, each) for each in one.milestones]
    return entity


def _with_stats(call: Call, one: Milestone) -> dict[str, Any]:
    """MilestoneWithStats."""
    issues = [issue for issue in list(call.project.issues.values()) if issue.milestone is one]
    stats = {"total": len(issues), "closed": sum(issue.state == "closed" for issue in issues)}
    return {**(milestone(call.world, call.project, one) or {}), "issue_stats": stats}


def _release(call: Call) -> Release:
    for one in call.project.releases:
        if one.tag_name == call.path["tag_name"]:
            return one
    raise not_found()


@route("GET", _ALL, "order_by:enum(released_at|created_at)=released_at sort:enum(asc|desc)=desc", job_token=True)
def list_releases(call: Call) -> Response:
    releases = sorted(call.project.releases, key=lambda one: one.released_at, reverse=call.get("sort") == "desc")
    return paginate(call, releases, lambda one: _entity(call, one))


@route("GET", _ONE, job_token=True)
def get_release(call: Call) -> Any:
    return _entity(call, _release(call))


@route("POST", _ALL, "tag_name* tag_message name description ref milestones:list assets:obj released_at:dt")
def create_release(call: Call) -> Any:
    call.require(DEVELOPER)
    tag, repo = call.params["tag_name"], call.project.repository
    if any(one.tag_name == tag for one in call.project.releases):
        raise conflict("Release already exists")
    links, milestones = _links(call), _milestones(call)
    if tag not in {one.name for one in repo.tags()}:
        ref = call.get("ref")
        sha = repo.resolve(ref) if ref else None
        if sha is None:
            raise not_found("Ref") if ref else bad_request("Ref is not specified")
        if not valid_branch_name(tag):
            raise bad_request("Tag name invalid")
        try:
            repo.update_ref(f"refs/tags/{tag}", sha, None)
        except RefMoved as error:
            raise bad_request(f"Failed to create tag '{tag}': {error}") from error
        tag_pushed(call.world, call.project, call.me, tag)
    when = call.get("released_at") or call.world.now()
    release = Release(tag, call.get("name") or tag, call.get("description") or "", call.me, when, links, milestones)
    call.project.releases.append(release)
    return _entity(call, release)


def _links(call: Call) -> list[dict[str, Any]]:
    """The links among the assets, as ReleasesLink. Raises 400 for one without a name or an address."""
    links = (call.get("assets") or {}).get("links") or []
    made = []
    for link in links if isinstance(links, list) else [links]:
        if not isinstance(link, dict) or not link.get("name") or not urlsplit(str(link.get("url") or "")).scheme:
            raise invalid_parameter("assets[links] is invalid")
        kind = link.get("link_type") or "other"
        if kind not in _LINK_TYPES:
            raise invalid_parameter("assets[links][0][link_type] does not have a valid value")
        address = {"url": link["url"], "direct_asset_url": link["url"]}
        made.append({"id": call.world.next_id("release_link"), "name": link["name"], **address, "link_type": kind})
    return made


def _milestones(call: Call) -> list[Milestone]:
    """The milestones with the given titles. Raises 400 if one does not exist."""
    by_title = {one.title: one for one in call.project.milestones}
    titles = call.get("milestones") or []
    if missing := [title for title in titles if title not in by_title]:
        raise bad_request(f"Milestone(s) not found: {', '.join(missing)}")
    return [by_title[title] for title in titles]


@route("PUT", _ONE, "name description milestones:list released_at:dt")
def update_release(call: Call) -> Any:
    call.require(DEVELOPER)
    release = _release(call)
    release.name = call.get("name") or release.name
    release.description = call.get("description", release.description) or ""
    release.released_at = call.get("released_at") or release.released_at
    if call.has("milestones"):
        release.milestones = _milestones(call)
    return _entity(call, release)


@route("DELETE", _ONE)
def delete_release(call: Call) -> Response:
    """Delete a release, but not its tag."""
    call.require(DEVELOPER)
    release = _release(call)
    entity = _entity(call, release)
    call.project.releases.remove(release)
    return Response(entity, 200)
