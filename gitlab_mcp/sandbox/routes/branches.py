"""Branches."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.git.commit_files import Action, Signature, build_commit
from gitlab_mcp.sandbox.git.repository import RefMoved, branch_refusal, valid_branch_name
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.pagination import page_of, paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.users import DEVELOPER

_ALL = "/projects/:id/repository/branches"


def _entity(call: Call, name: str, sha: str, merged: set[str] | None = None) -> dict[str, Any]:
    repo = call.project.repository
    if merged is None:
        tip = repo.branch(repo.default_branch)
        merged = {name} if tip and repo.is_ancestor(sha, tip) else set()
    # GitLab does not report the default branch as merged.
    return repository.branch(
        call.world,
        call.project,
        call.user,
        name,
        repo.commit(sha),
        merged=name in merged and name != repo.default_branch,
    )


@route("GET", _ALL, "search regex sort:enum(name_asc|updated_asc|updated_desc) page_token", job_token=True)
def list_branches(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    branches = repo.branches()
    names = sorted(branches)
    if search := call.get("search"):
        names = [name for name in names if _matches(name, search)]
    if pattern := call.get("regex"):
        try:
            names = [name for name in names if re.search(pattern, name)]
        except re.error as error:
            raise invalid_parameter(f"regex is an invalid regular expression: {error}") from error
    commits = repo.commits([branches[name] for name in names])
    if (call.get("sort") or "").startswith("updated"):
        names.sort(key=lambda name: commits[branches[name]].committed_at, reverse=call.get("sort") == "updated_desc")
    page_of(call)
    merged = repo.merged_branches(repo.default_branch) if repo.branch(repo.default_branch) else set()
    return paginate(call, names, lambda name: _entity(call, name, branches[name], merged))


def _matches(name: str, search: str) -> bool:
    # GitLab docs: ^term matches the beginning of a name, term$ its end, and * any characters.
    start, end = search.startswith("^"), search.endswith("$")
    term = search.lstrip("^").rstrip("$")
    pattern = ".*".join(re.escape(part) for part in term.split("*"))
    return bool(re.search(f"{'^' if start else ''}{pattern}{'$' if end else ''}", name, re.IGNORECASE))


def branch_tip(call: Call, name: str) -> str:
    """The commit of a branch; raises GitLab's 400 for an invalid name and 404 if there is none (find_branch!)."""
    if not valid_branch_name(name):
        raise bad_request("The branch refname is invalid")
    sha = call.project.repository.branch(name)
    if sha is None:
        raise not_found("Branch")
    return sha


@route("GET", f"{_ALL}/:branch")
def get_branch(call: Call) -> Any:
    call.require_code()
    return _entity(call, call.path["branch"], branch_tip(call, call.path["branch"]))


@route("POST", _ALL, "branch* ref*")
def create_branch(call: Call) -> Any:
    call.require(DEVELOPER)
    repo, name, ref = call.project.repository, call.params["branch"], call.params["ref"]
    if repo.is_empty():
        _create_default_branch(call)
    if not valid_branch_name(name):
        raise bad_request("Branch name is invalid")
    if repo.branch(name) is not None:
        raise bad_request("Branch already exists")
    if not permissions.may_push(call.user, call.project, name):
        raise forbidden("You are not allowed to create protected branches on this project.")
    if refusal := branch_refusal(name):
        raise bad_request(refusal)
    sha = repo.resolve(ref)
    if sha is None:
        raise bad_request(f"Invalid reference name: {ref}")
    create_ref(call, name, sha)
    activity.branch_moved(call.world, call.project, call.me, name, None, sha)
    return _entity(call, name, sha)


def _create_default_branch(call: Call) -> None:
    """Commit an empty README.md to the default branch of an empty repository, as Branches::CreateService does first."""
    repo, me = call.project.repository, Signature(call.me.name, call.me.email)
    branch = repo.default_branch
    if not permissions.may_push(call.user, call.project, branch):
        return
    readme = Action("create", "README.md", content=b"")
    sha = build_commit(repo, None, [readme], "Add README.md", me, me, call.world.now())
    repo.update_ref(f"refs/heads/{branch}", sha, None)
    activity.branch_moved(call.world, call.project, call.me, branch, None, sha)


def create_ref(call: Call, name: str, sha: str) -> None:
    """Create a branch; raises GitLab's 400 if the name is taken, or is a prefix of another (a and a/b)."""
    try:
        call.project.repository.update_ref(f"refs/heads/{name}", sha, None)
    except RefMoved as error:
        if call.project.repository.branch(name) is not None:
            raise bad_request("Branch already exists") from error
        raise bad_request(f"Failed to create branch '{name}': {error}") from error


@route("DELETE", f"{_ALL}/:branch")
def delete_branch(call: Call) -> Any:
    name = call.path["branch"]
    sha = branch_tip(call, name)
    call.require(DEVELOPER)
    if name == call.project.repository.default_branch:
        raise forbidden("Cannot remove HEAD branch")
    if not permissions.may_delete_branch(call.user, call.project, name):
        raise forbidden("Protected branch cannot be removed")
    call.project.repository.update_ref(f"refs/heads/{name}", None, sha)
    activity.branch_moved(call.world, call.project, call.me, name, sha, None)
    return None


@route("DELETE", "/projects/:id/repository/merged_branches")
def delete_merged(call: Call) -> Any:
    call.require(DEVELOPER)
    repo = call.project.repository
    if repo.branch(repo.default_branch):
        for name in repo.merged_branches(repo.default_branch):
            if name != repo.default_branch and permissions.protection(call.project, name) is None:
                tip = repo.branch(name)
                repo.update_ref(f"refs/heads/{name}", None, tip)
                activity.branch_moved(call.world, call.project, call.me, name, tip, None)
    return Response({"message": "202 Accepted"}, 202)
