"""Opening a merge request, however it is asked for, and what its branches must be."""

from __future__ import annotations

from gitlab_mcp.sandbox.http.errors import bad_request, conflict, unprocessable
from gitlab_mcp.sandbox.state import activity, permissions, pipelines
from gitlab_mcp.sandbox.state.model import MergeRequest, Project
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


def create(
    world: World,
    project: Project,
    author: User,
    title: str,
    source_branch: str,
    target_branch: str,
    description: str | None = None,
) -> MergeRequest:
    """Open a merge request; raises GitLab's answers to branches that are the same, missing or taken.

    A source branch without commits of its own is no fault: GitLab makes a merge request without changes.
    """
    repository = project.repository
    if source_branch == target_branch:
        raise unprocessable(["You can't use same project/branch for source and target"])
    for side, branch in (("Source", source_branch), ("Target", target_branch)):
        if repository.branch(branch) is None:
            raise bad_request([f'{side} branch "{branch}" does not exist'])
    refuse_duplicate(project, source_branch, target_branch)
    number = max(project.merge_requests, default=0) + 1
    now = world.now()
    made = MergeRequest(
        id=world.next_id("merge_request"),
        iid=number,
        project=project,
        title=title,
        author=author,
        created_at=now,
        updated_at=now,
        description=description,
        source_branch=source_branch,
        target_branch=target_branch,
    )
    activity.add_version(world, made, None)
    project.merge_requests[number] = made
    activity.mention(world, made, author, f"{title}\n{description or ''}")
    pipelines.begin_for_merge_request(world, made)
    return made


def set_target(world: World, one: MergeRequest, user: User, target: str) -> None:
    """Let it be merged into another branch; raises GitLab's answers to one that is missing or its own source."""
    if target == one.target_branch:
        return
    if one.project.repository.branch(target) is None:
        raise bad_request([f'Target branch "{target}" does not exist'])
    if target == one.source_branch:
        raise unprocessable(["You can't use same project/branch for source and target"])
    old, one.target_branch = one.target_branch, target
    activity.system_note(world, one, user, f"changed target branch from `{old}` to `{target}`")


def open_for(project: Project, source_branch: str, target_branch: str | None = None) -> MergeRequest | None:
    """The open merge request of a source branch (and a target), if there is one."""
    for one in list(project.merge_requests.values()):
        same_target = target_branch in (None, one.target_branch)
        if one.state == "opened" and one.source_branch == source_branch and same_target:
            return one
    return None


def refuse_duplicate(project: Project, source_branch: str, target_branch: str) -> None:
    """Raise 409 if the same two branches have an open merge request already."""
    other = open_for(project, source_branch, target_branch)
    if other is not None:
        raise conflict([f"Another open merge request already exists for this source branch: {other.reference}"])


def set_reviewer_state(world: World, one: MergeRequest, user: User, state: str) -> None:
    """Set the state of a reviewer; nothing happens for who is none, or may not change the merge request.

    app/services/merge_requests/update_reviewer_state_service.rb: who has approved stays so, unless they ask for changes
    or take it back; asking for changes takes the approval back.
    """
    if not permissions.may_edit(user, one):
        return
    if state == "requested_changes":
        activity.system_note(world, one, user, "requested changes")
    if user not in one.reviewers:
        return
    if one.review_states.get(user) == "approved" and state not in ("requested_changes", "unapproved"):
        return
    one.review_states[user] = state
    if state == "requested_changes" and user in one.approvals:
        del one.approvals[user]
        activity.system_note(world, one, user, "unapproved this merge request")
