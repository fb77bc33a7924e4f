"""What a merge request changes: diffs, versions and commits."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import merge_requests, repository
from gitlab_mcp.sandbox.git.diffs import MAX_FILES, FileDiff, compare
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import DiffVersion, MergeRequest

_ONE = "/projects/:id/merge_requests/:merge_request_iid"


def _diffs(one: MergeRequest, version: DiffVersion) -> list[FileDiff]:
    return compare(one.project.repository, version.base, version.head)[:MAX_FILES]


def _commits(one: MergeRequest, version: DiffVersion) -> list[Commit]:
    if version.base == version.head:
        return []
    return one.project.repository.log([f"{version.base}..{version.head}"])


@route("GET", f"{_ONE}/diffs", "unidiff:bool")
def list_diffs(call: Call) -> Reply:
    one, unidiff = call.merge_request(), bool(call.get("unidiff"))
    return paginate(call, _diffs(one, one.version), lambda each: repository.diff(each, unidiff=unidiff))


@route("GET", f"{_ONE}/changes", "unidiff:bool access_raw_diffs:bool")
def list_changes(call: Call) -> Any:
    one, unidiff = call.merge_request(), bool(call.get("unidiff"))
    shown = merge_requests.merge_request(call.world, one, call.user)
    shown["changes"] = [repository.diff(each, unidiff=unidiff) for each in _diffs(one, one.version)]
    return {**shown, "overflow": False}


@route("GET", f"{_ONE}/raw_diffs")
def raw_diffs(call: Call) -> Reply:
    one = call.merge_request()
    version = one.version
    output = one.project.repository.git.output(
        one.project.repository.path, "diff-tree", "-p", "-r", "-M", "--no-ext-diff", version.base, version.head
    )
    return Reply(output, media_type="text/plain; charset=utf-8")


@route("GET", f"{_ONE}/commits")
def list_commits(call: Call) -> Reply:
    one = call.merge_request()
    return paginate(call, _commits(one, one.version), lambda each: repository.commit(call.world, one.project, each))


@route("GET", f"{_ONE}/versions")
def list_versions(call: Call) -> Reply:
    one = call.merge_request()
    return paginate(call, one.versions[::-1], lambda each: merge_requests.diff_version(one, each))


@route("GET", f"{_ONE}/versions/:version_id", "unidiff:bool")
def get_version(call: Call) -> Any:
    one, number = call.merge_request(), call.number("version_id", "")
    version = next((each for each in one.versions if each.id == number), None)
    if version is None:
        raise not_found()
    unidiff = bool(call.get("unidiff"))
    return {
        **merge_requests.diff_version(one, version),
        "commits": [repository.commit(call.world, one.project, each) for each in _commits(one, version)],
        "diffs": [repository.diff(each, unidiff=unidiff) for each in _diffs(one, version)],
    }
