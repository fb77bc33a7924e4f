"""Whether a merge request can be merged, computed from the branches as they are now."""

from __future__ import annotations

from dataclasses import dataclass

from gitlab_mcp.sandbox.git.merges import Conflict, merge_tree
from gitlab_mcp.sandbox.state.model import MergeRequest


@dataclass(frozen=True)
class MergeStatus:
    """`detailed` is GitLab's detailed_merge_status; `unmergeable` is merge_status cannot_be_merged."""

    detailed: str
    conflicts: bool = False
    unmergeable: bool = False


def merge_status(one: MergeRequest) -> MergeStatus:
    """The merge status of a merge request.

    GitLab docs, merge status: not_open, draft_status, conflict, discussions_not_resolved, need_rebase,
    commits_status (the source branch has no commits of its own or is gone), mergeable.
    """
    if one.state != "opened":
        return MergeStatus("not_open")
    repository = one.project.repository
    source, target = repository.branch(one.source_branch), repository.branch(one.target_branch)
    if source is None or target is None:
        return MergeStatus("broken_status", unmergeable=True)
    if repository.is_ancestor(source, target):
        return MergeStatus("commits_status", unmergeable=True)
    conflicts = has_conflicts(one, source, target)
    if one.draft:
        return MergeStatus("draft_status", conflicts, conflicts)
    settings = one.project.settings
    open_threads = any(note.resolvable and not note.resolved for note in one.notes)
    if settings.get("only_allow_merge_if_all_discussions_are_resolved") and open_threads:
        return MergeStatus("discussions_not_resolved", conflicts, conflicts)
    if conflicts:
        return MergeStatus("conflict", conflicts=True, unmergeable=True)
    if settings.get("merge_method", "merge") != "merge" and not repository.is_ancestor(target, source):
        return MergeStatus("need_rebase")
    return MergeStatus("mergeable")


def has_conflicts(one: MergeRequest, source: str, target: str) -> bool:
    """Whether git cannot merge these two commits by itself; remembered, as commits never change."""
    known = one.project.repository.conflicts
    if (source, target) not in known:
        try:
            merge_tree(one.project.repository, target, source)
        except Conflict:
            known[source, target] = True
        else:
            known[source, target] = False
    return known[source, target]
