"""Tags."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.git.merges import identity
from gitlab_mcp.sandbox.git.repository import TagRef, tag_refusal, valid_branch_name
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.pipelines import tag_pushed
from gitlab_mcp.sandbox.state.users import DEVELOPER

_ALL = "/projects/:id/repository/tags"


@route(
    "GET",
    _ALL,
    "order_by:enum(name|updated|version)=updated sort:enum(asc|desc)=desc search page_token",
    job_token=True,
)
def list_tags(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    tags = repo.tags()
    if search := call.get("search"):
        tags = [tag for tag in tags if search.strip("^$") in tag.name]
    commits = repo.commits([tag.commit for tag in tags])
    match call.get("order_by"):
        case "name":
            tags.sort(key=lambda tag: tag.name)
        case "version":
            tags.sort(key=lambda tag: [int(part) for part in re.findall(r"\d+", tag.name)])
        case _:
            tags.sort(key=lambda tag: (tag.tagged_at or commits[tag.commit].committed_at, tag.name))
    if call.get("sort") == "desc":
        tags.reverse()
    return paginate(call, tags, lambda tag: repository.tag(call.world, call.project, tag, commits[tag.commit]))


def _tag(call: Call, name: str) -> TagRef:
    match = next((tag for tag in call.project.repository.tags() if tag.name == name), None)
    if match is None:
        raise not_found("Tag")
    return match


@route("GET", f"{_ALL}/:tag_name", job_token=True)
def get_tag(call: Call) -> Any:
    call.require_code()
    tag = _tag(call, call.path["tag_name"])
    return repository.tag(call.world, call.project, tag, call.project.repository.commit(tag.commit))


@route("POST", _ALL, "tag_name* ref* message")
def create_tag(call: Call) -> Any:
    call.require(DEVELOPER)
    repo, name = call.project.repository, call.params["tag_name"]
    if not valid_branch_name(name):
        raise bad_request("Tag name invalid")
    if any(tag.name == name for tag in repo.tags()):
        raise bad_request(f"Tag {name} already exists")
    sha = repo.resolve(call.params["ref"])
    if sha is None:
        raise bad_request(f"Target {call.params['ref']} is invalid")
    if refusal := tag_refusal(name, repo.default_branch):
        raise bad_request(refusal)
    if message := call.get("message"):
        me = identity(call.me.name, call.me.email, call.world.now(), "COMMITTER")
        repo.git.output(repo.path, "tag", "-a", "-F", "-", name, sha, stdin=message.encode(), environment=me)
    else:
        repo.update_ref(f"refs/tags/{name}", sha, None)
    tag_pushed(call.world, call.project, call.me, name)
    return repository.tag(call.world, call.project, _tag(call, name), repo.commit(sha))


@route("DELETE", f"{_ALL}/:tag_name")
def delete_tag(call: Call) -> Any:
    call.require(DEVELOPER)
    tag = _tag(call, call.path["tag_name"])
    call.project.repository.update_ref(f"refs/tags/{tag.name}", None, tag.target)
    return None
