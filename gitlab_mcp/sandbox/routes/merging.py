"""Merging and rebasing merge requests, with real commits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gitlab_mcp.sandbox.entities.merge_requests import merge_request
from gitlab_mcp.sandbox.git.merges import Conflict, identity, merge_tree, rebase, write_commit
from gitlab_mcp.sandbox.git.repository import RefMoved
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import conflict, forbidden, not_allowed, unauthorized, unprocessable
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.merge_status import merge_status
from gitlab_mcp.sandbox.state.model import MergeRequest
from gitlab_mcp.sandbox.text import references

_REBASE = timedelta(milliseconds=100)


@route(
    "PUT",
    "/projects/:id/merge_requests/:merge_request_iid/merge",
    "merge_commit_message squash_commit_message should_remove_source_branch:bool merge_when_pipeline_succeeds:bool "
    "auto_merge:bool sha squash:bool",
)
def merge(call: Call) -> Any:
    one = call.merge_request()
    merge_now(call, one)
    return merge_request(call.world, one, call.user)


def merge_now(call: Call, one: MergeRequest) -> None:
    """Merge as the call says; raises GitLab's refusals."""
    if not permissions.may_push(call.user, one.project, one.target_branch):
        raise unauthorized()
    status = merge_status(one)
    if status.detailed in ("not_open", "draft_status", "discussions_not_resolved", "broken_status", "commits_status"):
        raise not_allowed()
    if status.detailed != "mergeable":
        raise unprocessable("Branch cannot be merged")
    wanted = call.get("sha")
    if wanted and wanted != one.version.head:
        raise conflict(f"SHA does not match HEAD of source branch: {one.version.head}")
    if (call.get("auto_merge") or call.get("merge_when_pipeline_succeeds")) and _pipeline_runs(one):
        one.auto_merge = True
        return
    _merge(call, one)
    if call.get("should_remove_source_branch", one.remove_source_branch):
        _remove_source(one)


def _pipeline_runs(one: MergeRequest) -> bool:
    """Whether a pipeline of the head has not ended, which an automatic merge waits for (here: for ever)."""
    going = ("created", "pending", "running")
    return any(each.sha == one.version.head and each.status in going for each in one.project.pipelines.values())


def _merge(call: Call, one: MergeRequest) -> None:
    repository = one.project.repository
    activity.add_version(call.world, one, None)
    target, source = repository.branch(one.target_branch), repository.branch(one.source_branch)
    if target is None or source is None:
        raise not_allowed()
    me = call.me
    now = call.world.now()
    who = {**identity(me.name, me.email, now, "AUTHOR"), **identity(me.name, me.email, now, "COMMITTER")}
    closing = references.closes(one)
    try:
        tree = merge_tree(repository, target, source)
    except Conflict as error:
        raise unprocessable("Branch cannot be merged") from error
    tip, squashed = source, None
    if call.get("squash", one.squash):
        message = call.get("squash_commit_message") or one.title
        tip = squashed = write_commit(repository, tree, [target], message, who)
    merged = tip
    if one.project.settings.get("merge_method", "merge") != "ff":
        merged = write_commit(repository, tree, [target, tip], _message(call, one, closing), who)
    try:
        repository.update_ref(f"refs/heads/{one.target_branch}", merged, target)
    except RefMoved as error:
        raise conflict("Branch cannot be merged") from error
    one.merge_commit_sha = merged if merged != tip else None
    one.squash_commit_sha = squashed
    activity.mark_merged(call.world, one, me)
    activity.branch_moved(call.world, one.project, me, one.target_branch, target, merged)


def _message(call: Call, one: MergeRequest, closing: list[Any]) -> str:
    if text := call.get("merge_commit_message"):
        return str(text)
    parts = [f"Merge branch '{one.source_branch}' into '{one.target_branch}'", one.title]
    if closing:
        parts.append(f"Closes {' and '.join(issue.reference for issue in closing)}")
    return "\n\n".join([*parts, f"See merge request {one.project.full_path}{one.reference}"])


def _remove_source(one: MergeRequest) -> None:
    repository = one.project.repository
    tip = repository.branch(one.source_branch)
    protected = permissions.protection(one.project, one.source_branch) or one.source_branch == repository.default_branch
    if tip == one.version.head and not protected:
        repository.update_ref(f"refs/heads/{one.source_branch}", None, tip)


@route("PUT", "/projects/:id/merge_requests/:merge_request_iid/rebase", "skip_ci:bool")
def rebase_merge_request(call: Call) -> Any:
    one = call.merge_request()
    rebase_now(call, one)
    # GitLab rebases in the background; here it is done at once, and said to go on for a moment.
    one.rebasing_until = call.world.now() + _REBASE
    return Reply({"rebase_in_progress": True}, 202)


def rebase_now(call: Call, one: MergeRequest) -> None:
    """Rebase the source branch; what conflicts is left as it was and noted in merge_error."""
    repository = one.project.repository
    if not permissions.may_push(call.user, one.project, one.source_branch):
        raise forbidden("Cannot push to source branch")
    if permissions.protection(one.project, one.source_branch) is not None:
        raise forbidden("Source branch is protected from force push")
    if one.state != "opened":
        raise not_allowed()
    source, target = repository.branch(one.source_branch), repository.branch(one.target_branch)
    if source is None or target is None:
        raise forbidden("Source branch does not exist")
    base = repository.merge_base(source, target) or target
    one.merge_error = None
    try:
        tip = rebase(
            repository, target, base, source, identity(call.me.name, call.me.email, call.world.now(), "COMMITTER")
        )
    except Conflict:
        one.merge_error = "Rebase failed: Rebase locally, resolve all conflicts, then push the branch."
    else:
        if base != target:
            repository.update_ref(f"refs/heads/{one.source_branch}", tip, source)
            activity.branch_moved(call.world, one.project, call.me, one.source_branch, source, tip)
