"""Webhooks and the log of what they sent."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp
from gitlab_mcp.sandbox.state.webhooks import Attempt, Webhook
from gitlab_mcp.sandbox.state.world import World


def webhook(world: World, webhook: Webhook) -> dict[str, Any]:
    """ProjectHook or GroupHook; the tokens and the values of custom headers are never part of it."""
    owner = {"project_id": webhook.project.id} if webhook.project else {"group_id": world.group_id(webhook.group)}
    return {
        "id": webhook.id,
        "url": webhook.url,
        "name": webhook.name,
        "description": webhook.description,
        "created_at": stamp(webhook.created_at),
        **webhook.events,
        "enable_ssl_verification": webhook.enable_ssl_verification,
        "alert_status": webhook.alert_status(world.now()),
        "disabled_until": stamp(webhook.disabled_until),
        "url_variables": [],
        "push_events_branch_filter": None,
        "branch_filter_strategy": "wildcard",
        "custom_webhook_template": None,
        "custom_headers": [{"key": name} for name in webhook.custom_headers],
        "token_present": bool(webhook.token),
        "signing_token_present": bool(webhook.signing_token),
        **owner,
    }


def attempt(attempt: Attempt) -> dict[str, Any]:
    """WebHookLog."""
    return {
        "id": attempt.id,
        "url": attempt.delivery.webhook.url,
        "trigger": attempt.delivery.trigger,
        "request_headers": attempt.headers,
        "request_data": attempt.delivery.body,
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
        "execution_duration": attempt.seconds,
        "response_status": attempt.status,
        "created_at": stamp(attempt.created_at),
    }
