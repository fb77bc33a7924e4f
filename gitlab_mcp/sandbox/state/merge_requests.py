"""Creating merge requests, by the API or by push options; their target branches and the states of their reviewers."""

from __future__ import annotations

from gitlab_mcp.sandbox.http.errors import bad_request, conflict, unprocessable
from gitlab_mcp.sandbox.state import activity, events, permissions, pipelines
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
    """Create a merge request; raises GitLab's error if its branches are equal, missing or have an open one already.

    A source branch without commits of its own is not an error: GitLab creates a merge request without changes.
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
    merge_request = MergeRequest(
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
    activity.add_version(world, merge_request, None)
    project.merge_requests[number] = merge_request
    events.opened(merge_request)
    activity.mention(world, merge_request, author, f"{title}\n{description or ''}")
    pipelines.begin_for_merge_request(world, merge_request)
    return merge_request


def set_target(world: World, merge_request: MergeRequest, user: User, target: str) -> None:
    """Change the target branch; raises GitLab's error if that does not exist or is the source branch."""
    if target == merge_request.target_branch:
        return
    if merge_request.project.repository.branch(target) is None:
        raise bad_request([f'Target branch "{target}" does not exist'])
    if target == merge_request.source_branch:
        raise unprocessable(["You can't use same project/branch for source and target"])
    old, merge_request.target_branch = merge_request.target_branch, target
    activity.system_note(world, merge_request, user, f"changed target branch from `{old}` to `{target}`")


def open_for(project: Project, source_branch: str, target_branch: str | None = None) -> MergeRequest | None:
    """The open merge request of a source branch (and a target branch), or None."""
    for one in list(project.merge_requests.values()):
        same_target = target_branch in (None, one.target_branch)
        if one.state == "opened" and one.source_branch == source_branch and same_target:
            return one
    return None


def refuse_duplicate(project: Project, source_branch: str, target_branch: str) -> None:
    """Raise 409 if the two branches already have an open merge request."""
    other = open_for(project, source_branch, target_branch)
    if other is not None:
        raise conflict([f"Another open merge request already exists for this source branch: {other.reference}"])


def set_reviewer_state(world: World, merge_request: MergeRequest, user: User, state: str) -> None:
    """Set the review state of a user; does nothing unless they are a reviewer and may edit the merge request.

    app/services/merge_requests/update_reviewer_state_service.rb: the state "approved" changes only when the reviewer
    requests changes or unapproves, and requesting changes withdraws the approval.
    """
    if not permissions.may_edit(user, merge_request):
        return
    if state == "requested_changes":
        activity.system_note(world, merge_request, user, "requested changes")
    if user not in merge_request.reviewers:
        return
    if merge_request.review_states.get(user) == "approved" and state not in ("requested_changes", "unapproved"):
        return
    merge_request.review_states[user] = state
    if state == "requested_changes" and user in merge_request.approvals:
        del merge_request.approvals[user]
        activity.system_note(world, merge_request, user, "unapproved this merge request")
