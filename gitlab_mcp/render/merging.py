"""Render the answers of merging and rebasing."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merging import Rebased, SourceBranch
from gitlab_mcp.render.field_comparison import not_set
from gitlab_mcp.render.markdown import confirmed
from gitlab_mcp.safety.sanitize import one_line


def merged(written: WriteResult[Entity], asked: Asked, sign: str, branch: SourceBranch | None) -> str:
    """Render the answer of merge_merge_request: the merge commit, or that the merge request will be merged.

    `asked` are the options that were given, of which those that GitLab did not take are named. `branch` says whether
    the source branch is there after the merge, where an option is about that.
    """
    entity = written.result
    options = {name: value for name, value in asked.items() if name != "remove_source_branch" or branch is None}
    # Auto-merge keeps this option apart from the one of the merge request.
    shown = entity.changed(force_remove_source_branch=entity.flag("should_remove_source_branch"))
    into = one_line(entity.text("target_branch"), 255)
    commit = entity.sha("merge_commit_sha") or entity.sha("squash_commit_sha") or entity.sha("sha")
    done = f"Merged {sign} into {into} as {commit[:12]}."
    if entity.text("state") != "merged":
        done = f"{sign} is set to auto-merge into {into}, as soon as it can be merged."
        if not entity.flag("merge_when_pipeline_succeeds"):
            done = f"GitLab accepted the merge, but shows {sign} neither as merged nor as set to auto-merge."
    differences = not_set(not_taken(options, shown), "Developer")
    kept = _source_branch(asked["remove_source_branch"] is True, branch) if branch else ""
    return f"{done}{confirmed(written)}\n{entity.url('web_url')}{differences}{kept}"


def _source_branch(remove: bool, branch: SourceBranch) -> str:
    """Return the line on a source branch that is not as remove_source_branch says; "" where it is, or soon will be."""
    if branch == "unknown":
        return "\nWhether its source branch was removed could not be read."
    if remove and branch == "protected":
        return "\nGitLab kept its source branch: it is protected or the default branch."
    return "\nIts source branch is gone, although it was to be kept." if not remove and branch == "removed" else ""


def rebased(done: Rebased, sign: str) -> str:
    """Render the answer of rebase_merge_request, with the head after it."""
    entity = done.merge_request.result
    head = entity.sha("sha")[:12]
    onto = one_line(entity.text("target_branch"), 255)
    answer = f"{sign} is already on top of {onto}: its head is still {head}."
    if done.moved:
        answer = f"Rebased {sign} onto {onto}: its head is {head} now."
    return f"{answer}{confirmed(done.merge_request)}\n{entity.url('web_url')}"
