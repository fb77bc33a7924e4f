"""The webhook with which GitLab tells a listener of comments, labels and assignments."""

import base64
import secrets
from functools import partial

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.setup.plan import InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext, SetupStep, delete_once, look_at

WEBHOOKS_PAGE = "Settings > Webhooks"
HOOK_EVENTS = ("note_events", "issues_events", "merge_requests_events")
SIGNED_SINCE = (19, 0)  # https://docs.gitlab.com/user/project/integrations/webhooks/#signing-tokens


class WebhookStep(SetupStep):
    """https://docs.gitlab.com/api/project_webhooks/

    The secret is made here and kept before GitLab gets it, which never shows it again.
    """

    id = "webhook"

    def look(self, setup: SetupContext) -> Outcome:
        hook = _hook(setup)
        if hook and not _is_own(hook):
            return InPlace(
                f"{WEBHOOKS_PAGE}: one to this URL exists that setup did not make; its secret belongs in listen.env"
            )
        if hook and _kept_kind(setup) and not setup.state.record(self.id).get("pending"):
            return InPlace(f"{WEBHOOKS_PAGE} > {hook.text('url')}: comments, issues and merge requests")
        before = "one whose secret is not in listen.env" if hook else "absent"
        kind = "a signing token" if setup.facts.is_at_least(*SIGNED_SINCE) else "a secret token (GitLab 19 signs)"
        purpose = "GitLab tells the listener of comments, labels and assignments"
        after = f"{setup.options.listener_url}, comments, issues and merge requests, with {kind}"
        return PlannedChange(f"{WEBHOOKS_PAGE} > Add new webhook", purpose, before, after)

    def apply(self, setup: SetupContext) -> None:
        setup.state.keep(self.id, pending=True)
        signed = setup.facts.is_at_least(*SIGNED_SINCE)
        hook = self._send(setup, "signing_token" if signed else "secret_token")
        if signed and not hook.flag("signing_token_present"):  # the feature may be turned off in 19.0
            self._send(setup, "secret_token")
        setup.state.keep(self.id, pending=False)

    def look_undo(self, setup: SetupContext) -> Outcome:
        hook = _hook(setup)
        if hook is None or not _is_own(hook):
            return InPlace(f"{WEBHOOKS_PAGE}: none that setup made")
        return PlannedChange(f"{WEBHOOKS_PAGE} > {hook.text('url')}", "setup made it", "there", "deleted")

    def undo(self, setup: SetupContext) -> None:
        hook = _hook(setup)
        if hook and _is_own(hook):
            _delete(setup, hook)
        setup.state.forget(self.id)

    @staticmethod
    def _send(setup: SetupContext, kind: str) -> Entity:
        """Create the webhook, or give it a new secret, and return it as GitLab has it then."""
        value = setup.listener.secret(kind) or _new_secret(kind)
        setup.secrets.add(kind, value)
        for other in {"signing_token", "secret_token"} - {kind}:
            setup.listener.keep(other, "")
        setup.listener.keep(kind, value)
        body = {
            "url": setup.options.listener_url,
            "name": "gitlab-mcp-server",
            "description": MADE_BY_SETUP,
            "push_events": False,
            **dict.fromkeys(HOOK_EVENTS, True),
            "enable_ssl_verification": True,
            ("signing_token" if kind == "signing_token" else "token"): value,
        }
        path = f"{setup.project.path}/hooks"
        if hook := _hook(setup):
            sent = write_once(
                partial(setup.gitlab.put, f"{path}/{hook.number('id')}", body), lambda: None, look_at(WEBHOOKS_PAGE)
            )
        else:
            sent = write_once(
                partial(setup.gitlab.post, path, body), lambda: _hook(setup), look_at(WEBHOOKS_PAGE), repeats=True
            )
        return sent.result


def _kept_kind(setup: SetupContext) -> str:
    return next((kind for kind in ("signing_token", "secret_token") if setup.listener.secret(kind)), "")


def _hooks(setup: SetupContext) -> list[Entity]:
    return setup.gitlab.every(f"{setup.project.path}/hooks")


def _hook(setup: SetupContext) -> Entity | None:
    """The webhook to the listener: setup's own, else one to the same URL."""
    hooks = _hooks(setup)
    own = [hook for hook in hooks if _is_own(hook)]
    return next(iter([*own, *(hook for hook in hooks if hook.text("url") == setup.options.listener_url)]), None)


def _is_own(hook: Entity) -> bool:
    """Whether setup made a webhook; they have descriptions since GitLab 17.1."""
    return hook.text("description") == MADE_BY_SETUP


def _delete(setup: SetupContext, hook: Entity) -> None:
    number = hook.number("id")

    def is_gone() -> bool:
        return all(one.number("id") != number for one in _hooks(setup))

    delete_once(setup, f"{setup.project.path}/hooks/{number}", is_gone, WEBHOOKS_PAGE)


def _new_secret(kind: str) -> str:
    value = base64.b64encode(secrets.token_bytes(32)).decode()
    return f"whsec_{value}" if kind == "signing_token" else secrets.token_urlsafe(32)
