"""Merging and rebasing merge requests, with real commits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gitlab_mcp.sandbox.entities.merge_requests import merge_request
from gitlab_mcp.sandbox.git.merges import Conflict, identity, merge_tree, rebase, write_commit
from gitlab_mcp.sandbox.git.repository import RefMoved
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import (
    bad_request,
    conflict,
    forbidden,
    not_allowed,
    not_implemented,
    unauthorized,
    unprocessable,
)
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.merge_status import CI_STATUSES, merge_status
from gitlab_mcp.sandbox.state.model import MergeRequest
from gitlab_mcp.sandbox.state.pipelines import head_pipeline
from gitlab_mcp.sandbox.text import references

_REBASE = timedelta(milliseconds=100)
_ONE = "/projects/:id/merge_requests/:merge_request_iid"
# MergeRequest.mergeable_state_checks: these answer 405; conflicts and a needed rebase answer 422.
_STATES = ("not_open", "draft_status", "discussions_not_resolved", "broken_status", "commits_status")


@route(
    "PUT",
    f"{_ONE}/merge",
    "merge_commit_message squash_commit_message should_remove_source_branch:bool merge_when_pipeline_succeeds:bool "
    "auto_merge:bool sha squash:bool",
)
def merge(call: Call) -> Any:
    one = call.merge_request()
    _merge_or_wait(call, one)
    return merge_request(call.world, one, call.user)


def _merge_or_wait(call: Call, merge_request: MergeRequest) -> None:
    """Merge with the options of the call, or set auto-merge; raises GitLab's error if it cannot be merged."""
    if not permissions.may_push(call.user, merge_request.project, merge_request.target_branch):
        raise unauthorized()
    status = merge_status(merge_request).detailed
    auto = bool(call.get("auto_merge") or call.get("merge_when_pipeline_succeeds"))
    if auto and status in ("draft_status", "discussions_not_resolved"):
        raise not_implemented("auto-merge that waits for anything but a pipeline")
    pipeline = head_pipeline(merge_request)
    waits = auto and (status in CI_STATUSES or (status == "mergeable" and pipeline is not None and pipeline.active))
    # lib/api/merge_requests.rb: auto-merge with nothing to wait for is refused, unless the pipeline has succeeded.
    succeeded = pipeline is not None and pipeline.status == "success"
    at_once = succeeded if auto else status not in (*_STATES, *CI_STATUSES)
    if not (waits or at_once):
        raise not_allowed()
    if status != "mergeable" and not waits:
        raise unprocessable("Branch cannot be merged")
    wanted = call.get("sha")
    if wanted and wanted != merge_request.version.head:
        raise conflict(f"SHA does not match HEAD of source branch: {merge_request.version.head}")
    if waits:
        # AutoMerge::MergeWhenChecksPassService. No job is run here, so the pipeline does not succeed by itself.
        if not merge_request.auto_merge:
            body = f"enabled an automatic merge when all merge checks for {merge_request.version.head} pass"
            activity.system_note(call.world, merge_request, call.me, body)
        merge_request.auto_merge, merge_request.auto_merge_user = True, call.me
        # AutoMerge::BaseService keeps the parameters of the merge, and clears them when it is canceled.
        merge_request.should_remove_source_branch = call.get("should_remove_source_branch")
        return
    _merge(call, merge_request)
    if call.get("should_remove_source_branch", merge_request.remove_source_branch):
        _remove_source(call, merge_request)


@route("POST", f"{_ONE}/cancel_merge_when_pipeline_succeeds")
def cancel_auto_merge(call: Call) -> Any:
    """AutoMergeService#cancel, whose result is the response: 201 also where there was nothing to cancel."""
    one = call.merge_request()
    if not permissions.may_push(call.user, one.project, one.target_branch) and one.author is not call.user:
        raise unauthorized()
    if not one.auto_merge:
        return {"message": "Can't cancel the automatic merge", "status": "error", "http_status": 406}
    one.auto_merge, one.auto_merge_user, one.should_remove_source_branch = False, None, None
    activity.system_note(call.world, one, call.me, "canceled the automatic merge")
    return {"status": "success"}


@route("GET", f"{_ONE}/merge_ref", user_needed=True)
def get_merge_ref(call: Call) -> Any:
    """MergeRequests::MergeabilityCheckService with MergeToRefService: the merge commit that merging would make."""
    one = call.merge_request()
    repository, status = one.project.repository, merge_status(one)
    target = repository.branch(one.target_branch)
    if target is None or status.unmergeable or one.state != "opened":
        raise bad_request("Merge request is not mergeable")
    source = one.version.head
    message = f"Merge {source} into {target}"
    signature = {
        **identity(one.author.name, one.author.email, one.version.created_at, "AUTHOR"),
        **identity(one.author.name, one.author.email, one.version.created_at, "COMMITTER"),
    }
    commit = write_commit(repository, merge_tree(repository, target, source), [target, source], message, signature)
    repository.keep(f"refs/merge-requests/{one.iid}/merge", commit)
    return {"commit_id": commit}


def _merge(call: Call, merge_request: MergeRequest) -> None:
    repository = merge_request.project.repository
    activity.add_version(call.world, merge_request, None)
    target, source = repository.branch(merge_request.target_branch), repository.branch(merge_request.source_branch)
    if target is None or source is None:
        raise not_allowed()
    me = call.me
    now = call.world.now()
    signature = {**identity(me.name, me.email, now, "AUTHOR"), **identity(me.name, me.email, now, "COMMITTER")}
    closing = references.closes(merge_request)
    try:
        tree = merge_tree(repository, target, source)
    except Conflict as error:
        raise unprocessable("Branch cannot be merged") from error
    tip, squashed = source, None
    if call.get("squash", merge_request.squash):
        message = call.get("squash_commit_message") or merge_request.title
        tip = squashed = write_commit(repository, tree, [target], message, signature)
    merged = tip
    if merge_request.project.settings.get("merge_method", "merge") != "ff":
        merged = write_commit(repository, tree, [target, tip], _message(call, merge_request, closing), signature)
    try:
        repository.update_ref(f"refs/heads/{merge_request.target_branch}", merged, target)
    except RefMoved as error:
        raise conflict("Branch cannot be merged") from error
    merge_request.merge_commit_sha = merged if merged != tip else None
    merge_request.squash_commit_sha = squashed
    activity.mark_merged(call.world, merge_request, me)
    activity.branch_moved(call.world, merge_request.project, me, merge_request.target_branch, target, merged)


def _message(call: Call, merge_request: MergeRequest, closing: list[Any]) -> str:
    if text := call.get("merge_commit_message"):
        return str(text)
    parts = [f"Merge branch '{merge_request.source_branch}' into '{merge_request.target_branch}'", merge_request.title]
    if closing:
        parts.append(f"Closes {' and '.join(issue.reference for issue in closing)}")
    return "\n\n".join([*parts, f"See merge request {merge_request.project.full_path}{merge_request.reference}"])


def _remove_source(call: Call, merge_request: MergeRequest) -> None:
    repository = merge_request.project.repository
    tip = repository.branch(merge_request.source_branch)
    protected = (
        permissions.protection(merge_request.project, merge_request.source_branch)
        or merge_request.source_branch == repository.default_branch
    )
    if tip == merge_request.version.head and not protected:
        repository.update_ref(f"refs/heads/{merge_request.source_branch}", None, tip)
        activity.branch_moved(call.world, merge_request.project, call.me, merge_request.source_branch, tip, None)


@route("PUT", f"{_ONE}/rebase", "skip_ci:bool")
def rebase_merge_request(call: Call) -> Any:
    merge_request = call.merge_request()
    _rebase_now(call, merge_request)
    # GitLab rebases in the background. Here it is done at once, but reported as in progress for a moment.
    merge_request.rebasing_until = call.world.now() + _REBASE
    return Response({"rebase_in_progress": True}, 202)


def _rebase_now(call: Call, merge_request: MergeRequest) -> None:
    """Rebase the source branch; on conflicts the branch is left unchanged and merge_error is set."""
    repository = merge_request.project.repository
    if not permissions.may_push(call.user, merge_request.project, merge_request.source_branch):
        raise forbidden("Cannot push to source branch")
    if permissions.protection(merge_request.project, merge_request.source_branch) is not None:
        raise forbidden("Source branch is protected from force push")
    if merge_request.state != "opened":
        raise not_allowed()
    source, target = repository.branch(merge_request.source_branch), repository.branch(merge_request.target_branch)
    if source is None or target is None:
        raise forbidden("Source branch does not exist")
    base = repository.merge_base(source, target) or target
    merge_request.merge_error = None
    try:
        tip = rebase(
            repository, target, base, source, identity(call.me.name, call.me.email, call.world.now(), "COMMITTER")
        )
    except Conflict:
        merge_request.merge_error = "Rebase failed: Rebase locally, resolve all conflicts, then push the branch."
    else:
        if base != target:
            repository.update_ref(f"refs/heads/{merge_request.source_branch}", tip, source)
            activity.branch_moved(call.world, merge_request.project, call.me, merge_request.source_branch, source, tip)
