"""Parameters that GitLab has and the sandbox does not implement: they are answered with 501 and never ignored.

A parameter that GitLab itself does not know is ignored, as Grape does. `tests/sandbox/test_parameters.py` compares
both with GitLab's contract: whoever implements one of these removes it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitlab_mcp.sandbox.http.errors import not_implemented
from gitlab_mcp.sandbox.http.parameters import look_up
from gitlab_mcp.sandbox.http.routing import Route

_PROJECT = "/projects/:id"
_ISSUE = "discussion_to_resolve epic_id epic_iid merge_request_to_resolve_discussions_of severity start_date weight"
_MERGE_REQUEST = "approvals_before_merge merge_after"
_WEBHOOK = (
    "push_events_branch_filter branch_filter_strategy custom_webhook_template duo_flow_callback_enabled url_variables "
    "url_variables[key] url_variables[value]"
)
UNDONE: dict[tuple[str, str], str] = {
    ("GET", "/projects"): (
        "active custom_attributes imported include_hidden include_pending_delete "
        "last_activity_after last_activity_before marked_for_deletion_on repository_checksum_failed "
        "repository_storage starred statistics topic topic_id updated_after updated_before wiki_checksum_failed "
        "with_issues_enabled with_merge_requests_enabled with_programming_language"
    ),
    ("GET", _PROJECT): "custom_attributes",
    ("GET", f"{_PROJECT}/issues"): (
        "cursor epic_id health_status iteration_id iteration_title not[iteration_id] not[iteration_title] not[weight] "
        "weight"
    ),
    ("POST", f"{_PROJECT}/issues"): _ISSUE,
    ("PUT", f"{_PROJECT}/issues/:issue_iid"): _ISSUE,
    ("GET", f"{_PROJECT}/members/all"): "show_seat_info state",
    ("GET", f"{_PROJECT}/merge_requests"): "approver_ids deployed_after deployed_before environment",
    ("POST", f"{_PROJECT}/merge_requests"): _MERGE_REQUEST,
    ("PUT", f"{_PROJECT}/merge_requests/:merge_request_iid"): _MERGE_REQUEST,
    ("GET", f"{_PROJECT}/merge_requests/:merge_request_iid"): "render_html",
    ("POST", f"{_PROJECT}/merge_requests/:merge_request_iid/approve"): "approval_password publish_review",
    ("GET", f"{_PROJECT}/milestones"): "updated_after updated_before",
    ("GET", f"{_PROJECT}/releases"): "include_html_description updated_after updated_before",
    ("GET", f"{_PROJECT}/repository/commits"): "page_token pagination",
    ("GET", f"{_PROJECT}/search"): "fields num_context_lines regex type",
    **{
        (method, f"/{owner}/:id/hooks{rest}"): _WEBHOOK
        for owner in ("projects", "groups")
        for method, rest in (("POST", ""), ("PUT", "/:hook_id"))
    },
}
# Values with which GitLab does as if the parameter were not there.
_WITHOUT_EFFECT: tuple[object, ...] = (None, "", False, "false", [])


def refuse_undone(route: Route, arguments: Mapping[str, Any]) -> None:
    """Raise 501 for a parameter that the route does not implement."""
    for name in UNDONE.get((route.method, route.template), "").split():
        found, value = look_up(arguments, name)
        if found and value not in _WITHOUT_EFFECT:
            raise not_implemented(f"the parameter {name} of {route.method} {route.template}")
