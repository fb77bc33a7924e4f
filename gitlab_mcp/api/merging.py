"""Merging a merge request at the head that was reviewed, and rebasing one.

https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request and, for the statuses, #merge-status
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, look_with, write_once
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.reviews.diff import lists_all
from gitlab_mcp.errors import Conflict, Failure, GitLabRefusal, NotFound, Refused, Unreachable, naming
from gitlab_mcp.safety.sanitize import one_line

# Values of detailed_merge_status while GitLab still checks whether it can be merged.
PENDING_STATUSES = (
    "unchecked",
    "checking",
    "preparing",
    "approvals_syncing",
    "cannot_be_merged_recheck",
    "cannot_be_merged_rechecking",
)
SourceBranch = Literal["removed", "protected", "there", "unknown"]

STATUS_LOOK_UPS = 8
PAUSE = 0.25  # seconds before the second look-up; longer before each further one

AUTO = "auto_merge: true merges it by itself as soon as it can be."
# Reasons that auto-merge waits for; the others need a change to the code or to the merge request.
AUTO_MERGE_WAITS_FOR = (
    "ci_still_running",
    "ci_must_pass",
    "not_approved",
    "discussions_not_resolved",
    "requested_changes",
)


@dataclass(frozen=True)
class Merge:
    """How to merge: the head that was reviewed, and options. None stands for the setting of the project."""

    sha: str
    auto: bool = False
    squash: bool | None = None
    remove_source_branch: bool | None = None


def merge(target: Noteable, options: Merge) -> WriteResult[Entity]:
    """Merge a merge request whose head is `options.sha`, or have it merged automatically.

    Raises Conflict for another head, Refused, with the reason, when it cannot be merged.
    """
    gitlab = target.project.gitlab
    now = _with_status(gitlab, target.path)
    if now.text("state") == "merged" and now.sha("sha").startswith(options.sha):
        return WriteResult(now, confirmed=False)
    _check(now, target, options)
    gitlab.policy.check_merge(
        now.text("target_branch"), partial(_changed_paths, target, now), lambda: target.project.default_branch
    )
    body: dict[str, object] = {
        "sha": now.text("sha"),
        "auto_merge": True if options.auto else None,
        "squash": options.squash,
        "should_remove_source_branch": options.remove_source_branch,
    }
    attributes = {name: value for name, value in body.items() if value is not None}

    def find() -> Entity | None:
        after = gitlab.get(target.path)
        done = after.text("state") == "merged" or (options.auto and after.flag("merge_when_pipeline_succeeds"))
        return after if done else None

    send = partial(gitlab.put, f"{target.path}/merge", attributes)
    try:
        return write_once(send, find, look_with("get_merge_request"))
    except GitLabRefusal as refused:
        if refused.status not in (405, 406, 422):
            raise
        after = _with_status(gitlab, target.path)
        if options.auto and after.text("detailed_merge_status") == "mergeable":
            # lib/api/merge_requests.rb: auto-merge is refused where there is no pipeline left to wait for.
            return merge(target, replace(options, auto=False))
        raise Refused(f"GitLab does not merge {target.sign}: {_reason(after)}") from refused


def source_branch(target: Noteable, merged: Entity) -> SourceBranch:
    """Whether GitLab still has the source branch of a merge request that was merged.

    GitLab keeps a protected branch in silence (MergeRequest#can_remove_source_branch?). It removes one in the
    background, after its answer, so that a branch that is still there may yet be removed.
    """
    if merged.number("source_project_id") != merged.number("target_project_id"):
        return "unknown"
    path = f"{target.project.path}/repository/branches/{segment(merged.text('source_branch'))}"
    try:
        branch = target.project.gitlab.get(path)
    except NotFound:
        return "removed"
    except Failure:  # the merge is done, so that nothing may fail now
        return "unknown"
    return "protected" if branch.flag("protected") or branch.flag("default") else "there"


def _changed_paths(target: Noteable, now: Entity) -> list[str]:
    diffs = target.project.gitlab.every(f"{target.path}/diffs")
    if not lists_all(now, diffs):
        raise Refused(
            f"{target.sign} changes more files than GitLab lists, so guarded files may be among them: leave the"
            " merge to a person."
        )
    return [path for diff in diffs for path in (diff.text("old_path"), diff.text("new_path"))]


def _check(now: Entity, target: Noteable, options: Merge) -> None:
    head, status = now.sha("sha"), now.text("detailed_merge_status")
    if now.text("state") != "opened":
        raise Refused(f"{target.sign} is {one_line(now.text('state'), 20)}, with the head {head[:12]}.")
    if not head.startswith(options.sha):
        raise Conflict(
            f"The head of {target.sign} is {head[:12]} now, not {options.sha[:12]}: review what is new first."
        )
    waits = options.auto and status in AUTO_MERGE_WAITS_FOR
    if now.flag("has_conflicts") or (status in _status_advice() and not waits):
        raise Refused(f"{target.sign} cannot be merged: {_reason(now)}")


def _status_advice() -> dict[str, str]:
    """What to do about a value of detailed_merge_status."""
    return {
        "approvals_syncing": "Its approvals are being counted: try again in a moment.",
        "broken_status": "Its source or target branch is gone.",
        "checking": "GitLab still checks it: try again in a moment.",
        "ci_must_pass": f"Its pipeline must succeed first{naming(': {} says what failed', 'get_pipeline')}. {AUTO}",
        "ci_still_running": f"Its pipeline has not finished. {AUTO}",
        "commits_status": "Its source branch has no commits of its own, or is gone.",
        "conflict": "It conflicts with its target branch: merge that into the source branch, or rebase by hand.",
        "discussions_not_resolved": f"Threads are open{naming(': {} with unresolved shows them', 'list_discussions')}.",
        "draft_status": f"It is a draft{naming(': {} with draft: false makes it ready', 'update_merge_request')}.",
        "merge_request_blocked": "Another merge request must be merged first.",
        "need_rebase": f"It must be rebased first{naming(': {} does that', 'rebase_merge_request')}.",
        "not_approved": f"An approval is missing. {AUTO}",
        "requested_changes": "A reviewer requested changes, and must withdraw that or approve.",
    }


def _reason(now: Entity) -> str:
    status = "conflict" if now.flag("has_conflicts") else now.text("detailed_merge_status")
    return _status_advice().get(status, f"GitLab says {one_line(status.replace('_', ' '), 60) or 'nothing more'}.")


def _with_status(gitlab: GitLab, path: str) -> Entity:
    """The merge request, once GitLab has checked whether it can be merged; reading it starts the check."""
    for look in range(STATUS_LOOK_UPS):
        now = gitlab.get(path)
        if now.text("detailed_merge_status") not in PENDING_STATUSES:
            break
        current_call.get().wait(PAUSE * (look + 1), Refused(_status_advice()["checking"]))
    return now


@dataclass(frozen=True)
class Rebased:
    """A merge request after its rebase; `moved` is whether its head has changed."""

    merge_request: WriteResult[Entity]
    moved: bool


def rebase(target: Noteable) -> Rebased:
    """Rebase the source branch onto the target branch, and wait until that is done.

    Raises Refused for a conflict and when it cannot be rebased, Unreachable when it is not done before the deadline.
    """
    gitlab = target.project.gitlab
    query = {"include_rebase_in_progress": "true", "include_diverged_commits_count": "true"}
    before = gitlab.get(target.path, **query)
    if before.text("state") != "opened":
        raise Refused(f"{target.sign} is {one_line(before.text('state'), 20)}: only an open one is rebased.")
    if before.text("detailed_merge_status") == "broken_status":
        raise Refused(f"{target.sign} cannot be rebased: {_status_advice()['broken_status']}")
    if before.number("source_project_id") == before.number("target_project_id"):
        gitlab.policy.check_rebase(before.text("source_branch"), lambda: target.project.default_branch)
    if not before.number("diverged_commits_count") and before.text("sha"):
        return Rebased(WriteResult(before, confirmed=False), moved=False)

    def find() -> Entity | None:
        now = gitlab.get(target.path, **query)
        started = now.flag("rebase_in_progress") or now.text("sha") != before.text("sha")
        return now if started or now.text("merge_error") else None

    def send() -> Entity:
        gitlab.send("put", f"{target.path}/rebase", {})
        return before

    started = write_once(send, find, look_with("get_merge_request"))
    after = _rebased(gitlab, target, query)
    if error := one_line(after.text("merge_error"), 300):
        raise Refused(f"{target.sign} was not rebased: {error}")
    return Rebased(WriteResult(after, started.confirmed), moved=after.text("sha") != before.text("sha"))


def _rebased(gitlab: GitLab, target: Noteable, query: dict[str, str]) -> Entity:
    still = Unreachable(
        f"{target.sign} is still being rebased:"
        f" look{naming(' with {}', 'get_merge_request')} whether its head has changed."
    )
    look = 0
    while True:
        now = gitlab.get(target.path, **query)
        if not now.flag("rebase_in_progress"):
            return now
        look += 1
        current_call.get().wait(min(PAUSE * look, 3.0), still)
