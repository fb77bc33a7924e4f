"""Diffs, diff versions and commits of merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import merge_requests, repository
from gitlab_mcp.sandbox.git.diff_limits import MAX_FILES, limited, unlimited
from gitlab_mcp.sandbox.git.diffs import FileDiff, compare
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.pagination import page_of, paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import DiffVersion, MergeRequest

_ONE = "/projects/:id/merge_requests/:merge_request_iid"


def _diffs(merge_request: MergeRequest, version: DiffVersion) -> list[FileDiff]:
    return compare(merge_request.project.repository, version.base, version.head)[:MAX_FILES]


def _commits(merge_request: MergeRequest, version: DiffVersion) -> list[Commit]:
    if version.base == version.head:
        return []
    return merge_request.project.repository.log([f"{version.base}..{version.head}"])


@route("GET", f"{_ONE}/diffs", "unidiff:bool")
def list_diffs(call: Call) -> Response:
    """A page of the diffs; the limits count for each page. Before GitLab 19.2 they collapse files here too."""
    merge_request, unidiff = call.merge_request(), bool(call.get("unidiff"))
    file_diffs = _diffs(merge_request, merge_request.version)
    page, per_page = page_of(call)
    start = (page - 1) * per_page
    shown, _ = limited(file_diffs[start : start + per_page], expanded=call.world.is_at_least(19, 2))
    response = paginate(call, file_diffs, lambda _: None)
    return Response([repository.diff(each, unidiff=unidiff) for each in shown], headers=response.headers)


@route("GET", f"{_ONE}/changes", "unidiff:bool access_raw_diffs:bool")
def list_changes(call: Call) -> Any:
    merge_request, unidiff = call.merge_request(), bool(call.get("unidiff"))
    entity = merge_requests.merge_request(call.world, merge_request, call.user)
    file_diffs = _diffs(merge_request, merge_request.version)
    raw = call.get("access_raw_diffs")
    shown, overflow = (unlimited(file_diffs), False) if raw else limited(file_diffs, expanded=False)
    entity["changes"] = [repository.diff(each, unidiff=unidiff) for each in shown]
    return {**entity, "overflow": overflow}


@route("GET", f"{_ONE}/raw_diffs")
def raw_diffs(call: Call) -> Response:
    merge_request = call.merge_request()
    version = merge_request.version
    output = merge_request.project.repository.git.output(
        merge_request.project.repository.path,
        "diff-tree",
        "-p",
        "-r",
        "-M",
        "--no-ext-diff",
        version.base,
        version.head,
    )
    return Response(output, media_type="text/plain; charset=utf-8")


@route("GET", f"{_ONE}/commits")
def list_commits(call: Call) -> Response:
    merge_request = call.merge_request()
    return paginate(
        call,
        _commits(merge_request, merge_request.version),
        lambda each: repository.commit(call.world, merge_request.project, each),
    )


@route("GET", f"{_ONE}/versions")
def list_versions(call: Call) -> Response:
    merge_request = call.merge_request()
    return paginate(call, merge_request.versions[::-1], lambda each: merge_requests.diff_version(merge_request, each))


@route("GET", f"{_ONE}/versions/:version_id", "unidiff:bool")
def get_version(call: Call) -> Any:
    merge_request = call.merge_request()
    version = call.item("version_id", merge_request.versions)
    unidiff = bool(call.get("unidiff"))
    return {
        **merge_requests.diff_version(merge_request, version),
        "commits": [
            repository.commit(call.world, merge_request.project, each) for each in _commits(merge_request, version)
        ],
        "diffs": [repository.diff(each, unidiff=unidiff) for each in unlimited(_diffs(merge_request, version))],
    }
