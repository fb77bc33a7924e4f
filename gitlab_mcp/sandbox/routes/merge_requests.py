"""Merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import merge_requests, pipelines
from gitlab_mcp.sandbox.entities.issues import issue
from gitlab_mcp.sandbox.entities.users import user_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import forbidden, invalid_parameter, unprocessable
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.issuable_filters import MERGE_REQUEST_FILTERS, check_exclusive, filtered
from gitlab_mcp.sandbox.routes.issuables import (
    FIELDS,
    check_texts,
    initial_fields,
    set_fields,
)
from gitlab_mcp.sandbox.state import activity, events, permissions, todos
from gitlab_mcp.sandbox.state.merge_requests import create, refuse_duplicate, set_target
from gitlab_mcp.sandbox.state.pipelines import pipelines_of
from gitlab_mcp.sandbox.state.subscriptions import participants as people_of
from gitlab_mcp.sandbox.state.users import DEVELOPER, OWNER
from gitlab_mcp.sandbox.text import references
from gitlab_mcp.sandbox.text.quick_action_interpreter import apply_new_description, interpret_description

_FIELDS = f"{FIELDS} reviewer_ids:ints remove_source_branch:bool allow_collaboration:bool squash:bool"


@route(
    "GET",
    "/projects/:id/merge_requests",
    MERGE_REQUEST_FILTERS,
    job_token=True,
)
def list_merge_requests(call: Call) -> Response:
    call.require_code()
    listed = list(call.project.merge_requests.values())
    if call.get("view") == "simple":
        return paginate(call, filtered(call, listed), lambda one: merge_requests.merge_request_simple(call.world, one))
    details = bool(call.get("with_labels_details"))
    return paginate(
        call,
        filtered(call, listed),
        lambda one: merge_requests.merge_request_basic(call.world, one, labels_details=details),
    )


@route(
    "GET",
    "/projects/:id/merge_requests/:merge_request_iid",
    "include_diverged_commits_count:bool include_rebase_in_progress:bool",
    job_token=True,
)
def get_merge_request(call: Call) -> Any:
    return merge_requests.merge_request(
        call.world,
        call.merge_request(),
        call.user,
        diverged=bool(call.get("include_diverged_commits_count")),
        rebasing=bool(call.get("include_rebase_in_progress")),
    )


@route(
    "POST",
    "/projects/:id/merge_requests",
    f"title+ source_branch* target_branch* target_project_id:int {_FIELDS}",
)
def create_merge_request(call: Call) -> Any:
    check_exclusive(call, ("milestone", "milestone_id"))
    call.require(DEVELOPER)
    target = call.get("target_project_id")
    if target is not None and target != call.project.id:
        raise unprocessable(["Source project is not a fork of the target project"])
    check_texts(call.params["title"] or "", call.get("description"))
    raw_description = call.get("description")
    interpret_description(call)
    merge_request = create(
        call.world,
        call.project,
        call.me,
        call.params["title"].strip(),
        call.params["source_branch"],
        call.params["target_branch"],
        call.get("description"),
    )
    merge_request.squash = bool(call.get("squash"))
    merge_request.remove_source_branch = bool(call.get("remove_source_branch"))
    initial_fields(call, merge_request)
    apply_new_description(call, merge_request, raw_description)
    todos.new_issuable(call.world, merge_request, call.me)
    return merge_requests.merge_request(call.world, merge_request, call.user)


@route(
    "PUT",
    "/projects/:id/merge_requests/:merge_request_iid",
    f"title target_branch state_event:enum(close|reopen) {_FIELDS}",
)
def update_merge_request(call: Call) -> Any:
    check_exclusive(call, ("milestone", "milestone_id"))
    if not call.params:
        raise invalid_parameter(
            "assignee_id, assignee_ids, reviewer_ids, description, labels, add_labels, remove_labels, milestone_id, "
            "milestone, remove_source_branch, allow_collaboration, allow_maintainer_to_push, squash, target_branch, "
            "title, state_event, discussion_locked are missing, at least one parameter must be provided"
        )
    merge_request = call.merge_request()
    if not permissions.may_edit(call.user, merge_request):
        raise forbidden()
    check_texts(call.get("title"), call.get("description"))
    described = interpret_description(call, merge_request)
    with events.updating(call.world, merge_request, call.me):
        if call.get("target_branch"):
            set_target(call.world, merge_request, call.me, call.params["target_branch"])
        if call.get("state_event") == "reopen" and merge_request.state == "closed":
            refuse_duplicate(merge_request.project, merge_request.source_branch, merge_request.target_branch)
        merge_request.squash = call.get("squash", merge_request.squash)
        merge_request.remove_source_branch = call.get("remove_source_branch", merge_request.remove_source_branch)
        set_fields(call, merge_request)
    if described:
        described.apply()
    if merge_request.state == "opened":
        activity.add_version(call.world, merge_request, None)
    return merge_requests.merge_request(call.world, merge_request, call.user)


@route("DELETE", "/projects/:id/merge_requests/:merge_request_iid")
def delete_merge_request(call: Call) -> Any:
    merge_request = call.merge_request()
    call.require(OWNER)
    del call.project.merge_requests[merge_request.iid]
    return None


@route("GET", "/projects/:id/merge_requests/:merge_request_iid/closes_issues")
def closes_issues(call: Call) -> Response:
    closed = [one for one in references.closes(call.merge_request()) if permissions.may_read_issue(call.user, one)]
    return paginate(call, closed, lambda one: issue(call.world, one, subscribed=False))


@route("GET", "/projects/:id/merge_requests/:merge_request_iid/participants")
def participants(call: Call) -> Response:
    return paginate(call, people_of(call.merge_request()), lambda user: user_basic(call.world, user))


@route("GET", "/projects/:id/merge_requests/:merge_request_iid/pipelines")
def list_pipelines(call: Call) -> Response:
    merge_request = call.merge_request()
    return paginate(call, pipelines_of(merge_request), lambda each: pipelines.pipeline_basic(call.world, each))
