"""Trigger tokens of a project, and the pipelines that they start (lib/api/ci/triggers.rb)."""

from __future__ import annotations

import json
import secrets
from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, bad_request, forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.pipeline_runs import begun, variable
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.pipelines import begin_requested
from gitlab_mcp.sandbox.state.triggers import PREFIX, Trigger
from gitlab_mcp.sandbox.state.users import DEVELOPER, MAINTAINER, User

_PAYLOAD = "TRIGGER_PAYLOAD"
_RUN = "token* variables:obj inputs:obj"


def _trigger(call: Call, trigger: Trigger) -> dict[str, Any]:
    """Trigger: others than its owner see the first four characters of its token (Ci::TriggerPresenter)."""
    token = trigger.token if trigger.owner is call.me else trigger.token.removeprefix(PREFIX)[:4]
    return {
        "id": trigger.id,
        "token": token,
        "description": trigger.description,
        "created_at": stamp(trigger.created_at),
        "updated_at": stamp(trigger.updated_at),
        "last_used": stamp(trigger.last_used),
        "expires_at": stamp(trigger.expires_at),
        "owner": user_basic(call.world, trigger.owner),
    }


def _of_path(call: Call) -> Trigger:
    call.require(MAINTAINER)
    return call.item("trigger_id", list(call.project.triggers.values()), "Trigger")


@route("GET", "/projects/:id/triggers", user_needed=True)
def list_triggers(call: Call) -> Response:
    call.require(MAINTAINER)
    return paginate(call, list(call.project.triggers.values()), lambda one: _trigger(call, one))


@route("GET", "/projects/:id/triggers/:trigger_id", user_needed=True)
def get_trigger(call: Call) -> Any:
    return _trigger(call, _of_path(call))


@route("POST", "/projects/:id/triggers", "description+ expires_at:dt", user_needed=True)
def create_trigger(call: Call) -> Any:
    call.require(MAINTAINER)
    now, number = call.world.now(), call.world.next_id("trigger")
    made = Trigger(number, f"{PREFIX}{secrets.token_hex(20)}", call.me, call.params["description"] or "", now, now)
    made.expires_at = call.get("expires_at")
    call.project.triggers[number] = made
    return _trigger(call, made)


@route("PUT", "/projects/:id/triggers/:trigger_id", "description", user_needed=True)
def update_trigger(call: Call) -> Any:
    """Only its owner may change a trigger (Ci::TriggerPolicy)."""
    changed = _of_path(call)
    if changed.owner is not call.me:
        raise forbidden("The current user is not authorized to update the pipeline trigger token")
    changed.description, changed.updated_at = call.get("description", changed.description), call.world.now()
    return _trigger(call, changed)


@route("DELETE", "/projects/:id/triggers/:trigger_id", user_needed=True)
def delete_trigger(call: Call) -> Any:
    del call.project.triggers[_of_path(call).id]
    return None


@route("POST", "/projects/:id/trigger/pipeline", f"ref* {_RUN}", own_login=True)
@route("POST", "/projects/:id/ref/:ref/trigger/pipeline", _RUN, own_login=True)
def run_pipeline(call: Call) -> Any:
    """Start a pipeline as the token's owner, or as the user of a job whose token it is (Ci::PipelineTriggerService).

    The whole request without its token becomes the file variable TRIGGER_PAYLOAD. The commit's [skip ci] is ignored.
    A ref with slashes must be percent-encoded in the path here; GitLab takes it as it is.
    """
    if call.headers.get("x-gitlab-event") == "Pipeline Hook":
        raise forbidden()
    given = call.get("variables") or {}
    if not all(isinstance(value, str) for value in given.values()):
        raise bad_request("variables needs to be a map of key-valued strings")
    user, source = _runs_as(call)
    project, ref = call.project, call.path.get("ref") or call.params["ref"]
    variables = [variable(name, value) for name, value in given.items()]
    if _PAYLOAD in given:
        raise bad_request({"base": [f"Duplicate variable name: {_PAYLOAD}"]})
    # Until MR 204230, about 18.5, the payload itself counted as a variable that somebody set.
    counted = variables or not call.world.is_at_least(18, 6)
    if counted and not permissions.may_set_variables(user, project):
        raise bad_request({"base": [permissions.NO_VARIABLES]})
    if permissions.role(user, project) < DEVELOPER:
        raise bad_request({"base": ["Insufficient permissions to create a new pipeline"]})
    if permissions.protection(project, ref) and not permissions.may_push(user, project, ref):
        raise bad_request({"base": ["You do not have sufficient permission to run a pipeline on this branch"]})
    sha = project.repository.resolve(ref)
    if sha is None:
        raise bad_request({"base": ["Reference not found"]})
    payload = {**call.arguments, "ref": ref, "id": call.path["id"], "variables": given}
    payload.pop("token")
    variables.append(variable(_PAYLOAD, json.dumps(payload, ensure_ascii=False, separators=(",", ":")), "file"))
    pipeline = begin_requested(
        call.world, project, user, ref, sha, source, variables, call.get("inputs"), keep_invalid=True
    )
    return begun(call, pipeline)


def _runs_as(call: Call) -> tuple[User, str]:
    """Whose pipeline it is, and its source; raises 404 for a token of another project, which thus tells nothing."""
    value, now = call.params["token"], call.world.now()
    for trigger in list(call.project.triggers.values()):
        if secrets.compare_digest(trigger.token.encode(), value.encode()):
            if trigger.expires_at and trigger.expires_at <= now:
                break
            trigger.last_used = now
            return trigger.owner, "trigger"
    token = call.world.tokens.get(value)
    if token is None or token.job is None:
        raise not_found()
    if not token.job.running:
        raise ApiError(401, {"message": "Job is not running"})
    if token.job.project is not call.project:
        raise not_found()
    return token.user, "pipeline"
