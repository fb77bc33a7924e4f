"""The merge status of a merge request, computed from the current branches."""

from __future__ import annotations

from dataclasses import dataclass

from gitlab_mcp.sandbox.git.merges import Conflict, merge_tree
from gitlab_mcp.sandbox.state.model import MergeRequest
from gitlab_mcp.sandbox.state.pipelines import head_pipeline

CI_STATUSES = ("ci_still_running", "ci_must_pass")


@dataclass(frozen=True)
class MergeStatus:
    """`detailed` is GitLab's detailed_merge_status; `unmergeable` stands for the merge_status cannot_be_merged."""

    detailed: str
    conflicts: bool = False
    unmergeable: bool = False


def merge_status(merge_request: MergeRequest) -> MergeStatus:
    """The merge status of a merge request.

    GitLab docs, merge status: not_open, draft_status, conflict, discussions_not_resolved, need_rebase,
    commits_status (the source branch has no commits of its own or does not exist), ci_still_running, ci_must_pass,
    mergeable.
    """
    if merge_request.state != "opened":
        return MergeStatus("not_open")
    repository = merge_request.project.repository
    source, target = repository.branch(merge_request.source_branch), repository.branch(merge_request.target_branch)
    if source is None or target is None:
        return MergeStatus("broken_status", unmergeable=True)
    if repository.is_ancestor(source, target):
        return MergeStatus("commits_status", unmergeable=True)
    conflicts = has_conflicts(merge_request, source, target)
    if merge_request.draft:
        return MergeStatus("draft_status", conflicts, conflicts)
    settings = merge_request.project.settings
    open_threads = any(note.resolvable and not note.resolved for note in merge_request.notes)
    if settings.get("only_allow_merge_if_all_discussions_are_resolved") and open_threads:
        return MergeStatus("discussions_not_resolved", conflicts, conflicts)
    if conflicts:
        return MergeStatus("conflict", conflicts=True, unmergeable=True)
    if settings.get("merge_method", "merge") != "merge" and not repository.is_ancestor(target, source):
        return MergeStatus("need_rebase")
    return MergeStatus(_ci_status(merge_request))


def _ci_status(merge_request: MergeRequest) -> str:
    """What the pipeline makes of the status of a merge request that could be merged otherwise.

    MergeRequest#mergeable_ci_state? and DetailedMergeStatusService#ci_check_failed_check.
    """
    settings, pipeline = merge_request.project.settings, head_pipeline(merge_request)
    if not settings.get("only_allow_merge_if_pipeline_succeeds"):
        return "mergeable"
    if pipeline is None:
        return "ci_must_pass"
    passed = ("success", "skipped") if settings.get("allow_merge_on_skipped_pipeline") else ("success",)
    if pipeline.status in passed:
        return "mergeable"
    return "ci_still_running" if pipeline.active else "ci_must_pass"


def has_conflicts(merge_request: MergeRequest, source: str, target: str) -> bool:
    """Whether merging two commits conflicts; the result is cached, as commits never change."""
    known = merge_request.project.repository.conflicts
    if (source, target) not in known:
        try:
            merge_tree(merge_request.project.repository, target, source)
        except Conflict:
            known[source, target] = True
        else:
            known[source, target] = False
    return known[source, target]
