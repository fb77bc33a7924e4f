"""Merging a merge request as it was read, and rebasing it.

https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request and, for the statuses, #merge-status
"""

from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, write_once
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.reviews.diff import lists_all
from gitlab_mcp.errors import Conflict, GitLabRefusal, Refused, Unreachable
from gitlab_mcp.safety.sanitize import one_line

HOW_TO_CHECK_MERGE = "Look with get_merge_request."

# GitLab has not made up its mind yet: asking again, it says something else in a moment.
UNDECIDED = (
    "unchecked",
    "checking",
    "preparing",
    "approvals_syncing",
    "cannot_be_merged_recheck",
    "cannot_be_merged_rechecking",
)
STATUS_LOOK_UPS = 8
PAUSE = 0.25  # seconds; longer each time

AUTO = "auto_merge: true merges it by itself as soon as it can be."
STATUS_ADVICE = {
    "approvals_syncing": "Its approvals are being counted: try again in a moment.",
    "broken_status": "Its source or target branch is gone.",
    "checking": "GitLab still checks it: try again in a moment.",
    "ci_must_pass": f"Its pipeline must succeed first: get_pipeline says what failed. {AUTO}",
    "ci_still_running": f"Its pipeline is not done. {AUTO}",
    "commits_status": "Its source branch has no commits of its own, or is gone.",
    "conflict": "It conflicts with its target branch: merge that into the source branch, or rebase by hand.",
    "discussions_not_resolved": "Threads are open: list_discussions with unresolved shows them.",
    "draft_status": "It is a draft: update_merge_request with draft: false makes it ready.",
    "merge_request_blocked": "Another merge request must be merged first.",
    "need_rebase": "It must be rebased first: rebase_merge_request does.",
    "not_approved": f"An approval is missing. {AUTO}",
    "requested_changes": "A reviewer asked for changes: they must take that back, or approve.",
}
# What passes by itself, so that GitLab can wait for it; the other reasons need somebody's work on the code.
WAITED_FOR = ("ci_still_running", "ci_must_pass", "not_approved", "discussions_not_resolved", "requested_changes")


@dataclass(frozen=True)
class Merge:
    """How to merge: the head that was reviewed, and what is to become of the branch. None is as the project has it."""

    sha: str
    auto: bool = False
    squash: bool | None = None
    remove_source_branch: bool | None = None


def merge(target: Noteable, wanted: Merge) -> WriteResult[Entity]:
    """Merge, once, what has `wanted.sha` as its head. Raises Conflict for another head, Refused for what cannot be
    merged, saying why.
    """
    gitlab = target.project.gitlab
    now = _decided(gitlab, target.path)
    if now.text("state") == "merged" and now.sha("sha").startswith(wanted.sha):
        return WriteResult(now, confirmed=False)
    _check(now, target, wanted)
    gitlab.policy.check_merge(
        now.text("target_branch"), partial(_changed_paths, target, now), lambda: target.project.default_branch
    )
    body: dict[str, object] = {
        "sha": now.text("sha"),
        "auto_merge": True if wanted.auto else None,
        "squash": wanted.squash,
        "should_remove_source_branch": wanted.remove_source_branch,
    }
    given = {name: value for name, value in body.items() if value is not None}

    def find() -> Entity | None:
        found = gitlab.get(target.path)
        done = found.text("state") == "merged" or (wanted.auto and found.flag("merge_when_pipeline_succeeds"))
        return found if done else None

    try:
        return write_once(partial(gitlab.put, f"{target.path}/merge", given), find, HOW_TO_CHECK_MERGE)
    except GitLabRefusal as refused:
        if refused.status in (405, 406, 422):
            raise Refused(f"GitLab does not merge {target.sign}: {_reason(_decided(gitlab, target.path))}") from refused
        raise


def _changed_paths(target: Noteable, now: Entity) -> list[str]:
    diffs = target.project.gitlab.every(f"{target.path}/diffs")
    if not lists_all(now, diffs):
        raise Refused(
            f"{target.sign} changes more files than GitLab lists, so it cannot be told whether guarded ones are among"
            " them: leave the merge to a person."
        )
    return [path for diff in diffs for path in (diff.text("old_path"), diff.text("new_path"))]


def _check(now: Entity, target: Noteable, wanted: Merge) -> None:
    head, status = now.sha("sha"), now.text("detailed_merge_status")
    if now.text("state") != "opened":
        raise Refused(f"{target.sign} is {one_line(now.text('state'), 20)}, with the head {head[:12]}.")
    if not head.startswith(wanted.sha):
        raise Conflict(
            f"The head of {target.sign} is {head[:12]} now, not {wanted.sha[:12]}: review what is new first."
        )
    waits = wanted.auto and status in WAITED_FOR
    if now.flag("has_conflicts") or (status in STATUS_ADVICE and not waits):
        raise Refused(f"{target.sign} cannot be merged: {_reason(now)}")


def _reason(now: Entity) -> str:
    status = "conflict" if now.flag("has_conflicts") else now.text("detailed_merge_status")
    return STATUS_ADVICE.get(status, f"GitLab says {one_line(status.replace('_', ' '), 60) or 'nothing more'}.")


def _decided(gitlab: GitLab, path: str) -> Entity:
    """The merge request, as soon as GitLab knows whether it can be merged; reading it makes GitLab find out."""
    for look in range(STATUS_LOOK_UPS):
        now = gitlab.get(path)
        if now.text("detailed_merge_status") not in UNDECIDED:
            break
        current_call.get().wait(PAUSE * (look + 1), Refused(f"{STATUS_ADVICE['checking']}"))
    return now


@dataclass(frozen=True)
class Rebased:
    """A merge request after its rebase; `moved` is whether its head is another now."""

    merge_request: WriteResult[Entity]
    moved: bool


def rebase(target: Noteable) -> Rebased:
    """Rebase the source branch onto the target branch, and wait until it is done. Raises Refused for a conflict."""
    gitlab = target.project.gitlab
    query = {"include_rebase_in_progress": "true", "include_diverged_commits_count": "true"}
    before = gitlab.get(target.path, **query)
    if before.text("state") != "opened":
        raise Refused(f"{target.sign} is {one_line(before.text('state'), 20)}: only an open one is rebased.")
    if before.text("detailed_merge_status") == "broken_status":
        raise Refused(f"{target.sign} cannot be rebased: {STATUS_ADVICE['broken_status']}")
    if before.number("source_project_id") == before.number("target_project_id"):
        gitlab.policy.check_rebase(before.text("source_branch"), lambda: target.project.default_branch)
    if not before.number("diverged_commits_count") and before.text("sha"):
        return Rebased(WriteResult(before, confirmed=False), moved=False)

    def find() -> Entity | None:
        found = gitlab.get(target.path, **query)
        begun = found.flag("rebase_in_progress") or found.text("sha") != before.text("sha")
        return found if begun or found.text("merge_error") else None

    def send() -> Entity:
        gitlab.send("put", f"{target.path}/rebase", {})
        return before

    began = write_once(send, find, HOW_TO_CHECK_MERGE)
    after = _rebased(gitlab, target, query)
    if told := one_line(after.text("merge_error"), 300):
        raise Refused(f"{target.sign} was not rebased: {told}")
    return Rebased(WriteResult(after, began.confirmed), moved=after.text("sha") != before.text("sha"))


def _rebased(gitlab: GitLab, target: Noteable, query: dict[str, str]) -> Entity:
    still = Unreachable(f"{target.sign} is still being rebased: look with get_merge_request whether its head moved.")
    look = 0
    while True:
        now = gitlab.get(target.path, **query)
        if not now.flag("rebase_in_progress"):
            return now
        look += 1
        current_call.get().wait(min(PAUSE * look, 3.0), still)
