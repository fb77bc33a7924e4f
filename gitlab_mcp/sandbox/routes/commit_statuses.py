"""The statuses of a commit: of its jobs, and those that something outside GitLab's CI reports (external CI)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.entities.commits import commit_status
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.commits import commit_of_path
from gitlab_mcp.sandbox.state.model import CommitStatus, Job, Pipeline
from gitlab_mcp.sandbox.state.pipelines import begin_external, composite_status
from gitlab_mcp.sandbox.state.users import DEVELOPER

# The event with which CommitStatus (app/models/commit_status.rb) gets into each state.
_EVENTS = {
    "pending": "enqueue",
    "running": "run",
    "success": "success",
    "failed": "drop",
    "canceled": "cancel",
    "skipped": "skip",
}


@route(
    "GET",
    "/projects/:id/repository/commits/:sha/statuses",
    "ref stage name all:bool=false pipeline_id:int order_by:enum(id|pipeline_id)=id sort:enum(asc|desc)=asc",
    user_needed=True,
)
def list_statuses(call: Call) -> Response:
    commit = commit_of_path(call)
    pipelines = [one for one in list(call.project.pipelines.values()) if one.sha == commit.sha]
    listed: list[Job | CommitStatus] = []
    for pipeline in pipelines:
        listed += [*pipeline.jobs, *pipeline.statuses]
    if not call.params["all"]:
        listed = [one for one in listed if not one.retried]
    if ref := call.get("ref"):
        listed = [one for one in listed if one.pipeline.ref == ref]
    if stage := call.get("stage"):
        listed = [one for one in listed if (one.stage if isinstance(one, Job) else "external") == stage]
    if name := call.get("name"):
        listed = [one for one in listed if one.name == name]
    if call.get("pipeline_id") is not None:
        listed = [one for one in listed if one.pipeline.id == call.params["pipeline_id"]]
    by_pipeline = call.params["order_by"] == "pipeline_id"
    listed.sort(key=lambda one: (one.pipeline.id if by_pipeline else one.id, one.id))
    return paginate(
        call, listed[:: -1 if call.params["sort"] == "desc" else 1], lambda one: commit_status(call.world, one)
    )


@route(
    "POST",
    "/projects/:id/statuses/:sha",
    "state*:enum(pending|running|success|failed|canceled|skipped) ref name context target_url description "
    "coverage:any pipeline_id:int",
)
def set_status(call: Call) -> Any:
    """Report a status: one of the same name that has not ended is changed, else a new one takes its place."""
    commit = commit_of_path(call)
    call.require(DEVELOPER)
    pipeline = _pipeline(call, commit.sha)
    name, state, now = call.get("name") or call.get("context") or "default", call.params["state"], call.world.now()
    known = [one for one in pipeline.statuses if one.name == name and not one.retried]
    status = next((one for one in known if one.status in ("created", "pending", "running")), None)
    if status is None:
        for one in known:
            one.retried = True
        number = call.world.next_id("job")
        status = CommitStatus(number, name, pipeline, call.me, now, "created")
        pipeline.statuses.append(status)
    elif status.status == state:
        event = _EVENTS[state]
        reason = f'Status cannot transition via "{event}"'
        raise bad_request({"state": [f"Cannot transition status via :{event} from :{state} (Reason(s): {reason})"]})
    for field in ("target_url", "description", "coverage"):
        if call.has(field):
            setattr(status, field, call.params[field])
    _change(status, state, now)
    pipeline.status = composite_status(pipeline)
    pipeline.finished_at = now if pipeline.status in ("success", "failed", "canceled", "skipped") else None
    return commit_status(call.world, status)


def _change(status: CommitStatus, state: str, now: datetime) -> None:
    if state == "running" or (state in ("success", "failed") and status.started_at is None):
        status.started_at = now
    if state in ("success", "failed", "canceled", "skipped"):
        status.finished_at = now
    status.status = state


def _pipeline(call: Call, sha: str) -> Pipeline:
    """The pipeline that a status is added to: the given one, the newest of the ref, or a new external one."""
    existing = [one for one in list(call.project.pipelines.values()) if one.sha == sha]
    if (number := call.get("pipeline_id")) is not None:
        existing = [one for one in existing if one.id == number]
        if not existing:
            raise not_found("Pipeline")
        return existing[0]
    ref = call.get("ref")
    if not ref:
        ref = next(iter(call.project.repository.refs("refs/heads/", f"--contains={sha}")), None)
        if ref is None:
            raise not_found("References for commit")
    newest = [one for one in existing if one.ref == ref]
    return newest[-1] if newest else begin_external(call.world, call.project, call.me, ref, sha)
