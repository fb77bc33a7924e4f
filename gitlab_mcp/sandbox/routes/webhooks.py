"""Webhooks of projects and groups: which there are, the log of what they sent, and sending an entry of it again.

Of the kinds of events only comments, issues and merge requests are sent here. Another kind answers 501, and so does a
webhook without `push_events=false`, because GitLab turns push events on by default.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from gitlab_mcp.sandbox.entities import webhooks
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, forbidden, invalid_parameter, not_found, not_implemented
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import Handler, route
from gitlab_mcp.sandbox.state.users import MAINTAINER
from gitlab_mcp.sandbox.state.webhooks import Delivery, Webhook

_SENT = (
    "note_events",
    "confidential_note_events",
    "issues_events",
    "confidential_issues_events",
    "merge_requests_events",
)
_NOT_SENT = (
    "push_events",
    "tag_push_events",
    "repository_update_events",
    "job_events",
    "pipeline_events",
    "wiki_page_events",
    "deployment_events",
    "feature_flag_events",
    "releases_events",
    "milestone_events",
    "emoji_events",
    "resource_access_token_events",
    "resource_deploy_token_events",
    "vulnerability_events",
)
_ONLY_OF_GROUPS = ("subgroup_events", "member_events", "project_events")
_FIELDS = " ".join(
    [
        "name description token signing_token enable_ssl_verification:bool custom_headers:array",
        *(f"{name}:bool" for name in (*_SENT, *_NOT_SENT, *_ONLY_OF_GROUPS)),
    ]
)
_OWNERS = ("projects", "groups")


def _webhook_route(method: str, rest: str = "", parameters: str = "") -> Callable[[Handler], Handler]:
    """Register a route for the webhooks of projects and of groups."""

    def register(handler: Handler) -> Handler:
        for owner in _OWNERS:
            route(method, f"/{owner}/:id/hooks{rest}", parameters, user_needed=True)(handler)
        return handler

    return register


def _group(call: Call) -> str:
    """The group of the path, or "" for the path of a project; raises 403 unless the caller may change its webhooks.

    A project's webhooks take a Maintainer, a group's an Owner, who is here whoever created a project in it.
    """
    if call.maybe_project is not None:
        call.require(MAINTAINER)
        return ""
    key = call.path["id"]
    for name, number in call.world.groups.items():
        if key in (name, str(number)):
            projects = [project for project in list(call.world.projects.values()) if project.group == name]
            if not any(project.creator is call.me for project in projects):
                raise forbidden()
            return name
    raise not_found("Group")


def _of_owner(call: Call) -> list[Webhook]:
    group, project = _group(call), call.maybe_project
    every = list(call.world.webhooks.values())
    return [one for one in every if (one.project is project if project else one.project is None and one.group == group)]


def _webhook(call: Call) -> Webhook:
    return call.item("hook_id", _of_owner(call))


@_webhook_route("GET")
def list_webhooks(call: Call) -> Response:
    return paginate(call, _of_owner(call), lambda one: webhooks.webhook(call.world, one))


@_webhook_route("GET", "/:hook_id")
def get_webhook(call: Call) -> Any:
    return webhooks.webhook(call.world, _webhook(call))


@_webhook_route("POST", "", f"url+ {_FIELDS}")
def create_webhook(call: Call) -> Any:
    group, project = _group(call), call.maybe_project
    names = (*_SENT, *_NOT_SENT) if project else (*_SENT, *_NOT_SENT, *_ONLY_OF_GROUPS)
    # db/structure.sql: push_events is the one kind that is on by default.
    events = {name: name == "push_events" for name in names}
    made = Webhook(0, "", call.world.now(), project, group, events)
    _set(call, made)
    made.id = call.world.next_id("webhook")
    call.world.webhooks[made.id] = made
    return webhooks.webhook(call.world, made)


@_webhook_route("PUT", "/:hook_id", f"url {_FIELDS}")
def update_webhook(call: Call) -> Any:
    changed = _webhook(call)
    if not call.params:
        raise ApiError(400, {"error": "No parameters provided"})
    _set(call, changed)
    return webhooks.webhook(call.world, changed)


@_webhook_route("DELETE", "/:hook_id")
def delete_webhook(call: Call) -> Any:
    del call.world.webhooks[_webhook(call).id]
    return None


def _set(call: Call, webhook: Webhook) -> None:
    """Set what the call gives; raises 422 for a URL or a signing token that is not valid, 501 for what is not sent."""
    url = call.get("url", webhook.url) or ""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ApiError(422, {"error": "Invalid url given"})
    events = {name: call.get(name, before) for name, before in webhook.events.items()}
    unsent = [name for name, wanted in events.items() if wanted and name not in _SENT]
    if unsent:
        raise not_implemented(f"{unsent[0]} of a webhook (GitLab turns push_events on unless it is false)")
    signing_token = call.get("signing_token", webhook.signing_token) or ""
    if signing_token and not _is_signing_token(signing_token):
        raise ApiError(422, {"message": {"signing_token": ["is invalid"]}})
    webhook.custom_headers |= {_text(one, "key"): _text(one, "value") for one in call.get("custom_headers") or []}
    webhook.url, webhook.events, webhook.signing_token = url, events, signing_token
    webhook.token = call.get("token", webhook.token) or ""
    webhook.name, webhook.description = call.get("name", webhook.name), call.get("description", webhook.description)
    webhook.enable_ssl_verification = call.get("enable_ssl_verification", webhook.enable_ssl_verification)


def _is_signing_token(value: str) -> bool:
    """Whether it is "whsec_" and 32 bytes in base64."""
    try:
        return value.startswith("whsec_") and len(base64.b64decode(value[6:], validate=True)) == 32
    except binascii.Error:
        return False


def _text(header: Any, name: str) -> str:
    if not isinstance(header, dict) or not isinstance(header.get(name), str):
        raise invalid_parameter(f"custom_headers[0][{name}] is missing")
    return str(header[name])


@_webhook_route("GET", "/:hook_id/events", "status:list")
def list_events(call: Call) -> Response:
    """What was sent, newest first (WebHooks::WebHookLogsFinder)."""
    groups = {"successful": "2", "client_failure": "4", "server_failure": "5"}
    listed = list(reversed(_webhook(call).attempts))
    if wanted := call.get("status"):
        listed = [one for one in listed if one.status in wanted or any(groups.get(w) == one.status[:1] for w in wanted)]
    return paginate(call, listed, webhooks.attempt)


@_webhook_route("POST", "/:hook_id/events/:hook_event_id/resend")
def resend(call: Call) -> Any:
    """Send an entry of the log again at once, with the same key, also where the webhook is disabled."""
    webhook = _webhook(call)
    before = call.item("hook_event_id", list(webhook.attempts)).delivery
    if call.world.send_webhook is None:
        raise not_implemented("sending webhooks without a server")
    again = Delivery(webhook, before.trigger, before.body, before.cause, before.key)
    return {"response_status": call.world.send_webhook(again).status}
