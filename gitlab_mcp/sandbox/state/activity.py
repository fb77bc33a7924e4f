"""Activity on issues and merge requests: comments, and changes with the system notes that GitLab writes about them.

The texts are those of SystemNotes::IssuablesService, MergeRequestsService, TimeTrackingService and CommitService.
Changes of labels, milestone and state are resource events (ResourceEvents::Change*Service) and no notes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from gitlab_mcp.sandbox.state import diff_notes, events, pipelines, todos
from gitlab_mcp.sandbox.state.model import (
    DiffVersion,
    Issuable,
    Issue,
    IssueLink,
    Label,
    MergeRequest,
    Milestone,
    Project,
    ResourceEvent,
    without_draft,
)
from gitlab_mcp.sandbox.state.notes import Note, discussion_id
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import references
from gitlab_mcp.sandbox.text.changes import changed_tasks, mark_changes, to_sentence


def comment(
    world: World,
    noteable: Issuable,
    author: User,
    body: str,
    *,
    type: str | None = None,  # noqa: A002 - GitLab's own name for it
    thread: str | None = None,
    internal: bool = False,
    position: dict[str, Any] | None = None,
    created_at: datetime | None = None,
) -> Note:
    """Add a comment and record what it mentions.

    `thread` is the id of the discussion to reply in; without it the comment starts a new one. Returns the note.
    """
    number = world.next_id("note")
    when = created_at or world.now()
    thread = thread or discussion_id(number)
    note = Note(number, author, body, when, when, thread, type, internal=internal, position=position)
    noteable.notes.append(note)
    noteable.updated_at = max(noteable.updated_at, when)
    if not internal:
        mention(world, noteable, author, body)
    todos.noted(world, noteable, note)
    events.record(events.NoteEvent(noteable.project, noteable, note, "create"))
    return note


def system_note(world: World, noteable: Issuable, author: User, body: str, created_at: datetime | None = None) -> Note:
    """Add a system note, which records a change."""
    number = world.next_id("note")
    when = created_at or world.now()
    note = Note(number, author, body, when, when, discussion_id(number), system=True)
    noteable.notes.append(note)
    noteable.updated_at = max(noteable.updated_at, when)
    return note


def mention(world: World, source: Issuable, author: User, text: str) -> None:
    """Add a system note, once, to each issue and merge request that a text refers to."""
    kind = "issue" if isinstance(source, Issue) else "merge request"
    if isinstance(source, Issue) and source.confidential:
        return
    for target in references.mentions(source.project, text):
        body = f"mentioned in {kind} {source.reference}"
        if target is not source and not any(note.system and note.body == body for note in target.notes):
            system_note(world, target, author, body)


def set_title(world: World, issuable: Issuable, user: User, title: str) -> None:
    """Change the title; for a merge request the system note tells whether that marked it as a draft or as ready."""
    if title == issuable.title:
        return
    was_draft = isinstance(issuable, MergeRequest) and issuable.draft
    old, issuable.title = issuable.title, title
    issuable.last_edited_at, issuable.last_edited_by = world.now(), user
    drafts = isinstance(issuable, MergeRequest)
    if isinstance(issuable, MergeRequest) and issuable.draft != was_draft:
        body = "marked this merge request as **draft**" if issuable.draft else "marked this merge request as **ready**"
        system_note(world, issuable, user, body)
    if not drafts or without_draft(old) != without_draft(title):
        before, after = mark_changes(old, title)
        system_note(world, issuable, user, f"changed title from **{before}** to **{after}**")
    mention(world, issuable, user, title)


def set_description(world: World, issuable: Issuable, user: User, description: str | None) -> None:
    """Change the description."""
    if (description or "") == (issuable.description or ""):
        return
    old, issuable.description = issuable.description or "", description
    issuable.last_edited_at, issuable.last_edited_by = world.now(), user
    # Issuable::CommonSystemNotesService: a note for each checklist item that was ticked or cleared, else one for all.
    tasks = changed_tasks(old, description or "")
    for text, complete in tasks:
        state = "completed" if complete else "incomplete"
        system_note(world, issuable, user, f"marked the checklist item **{text}** as {state}")
    if not tasks:
        system_note(world, issuable, user, "changed the description")
    mention(world, issuable, user, description or "")


def set_labels(world: World, issuable: Issuable, user: User, wanted: Sequence[Label]) -> None:
    """Change the labels."""
    added = [label for label in wanted if label not in issuable.labels]
    removed = [label for label in issuable.labels if label not in wanted]
    issuable.labels = list(wanted)
    for label in added:
        record_event(world, issuable, user, "label", "add", label=label)
    for label in removed:
        record_event(world, issuable, user, "label", "remove", label=label)


def record_event(
    world: World,
    issuable: Issuable,
    user: User,
    kind: str,
    action: str,
    created_at: datetime | None = None,
    **what: Any,
) -> None:
    """Record a change of labels, milestone or state; `what` are further fields of ResourceEvent."""
    number, when = world.next_id(f"resource_{kind}_event"), created_at or world.now()
    issuable.events.append(ResourceEvent(id=number, kind=kind, user=user, created_at=when, action=action, **what))
    issuable.updated_at = max(issuable.updated_at, when)


def label_references(labels: Sequence[Label]) -> str:
    """The labels as GitLab refers to them in text, with quotes where a name has a space."""
    return " ".join(f'~"{label.name}"' if " " in label.name else f"~{label.name}" for label in labels)


def set_milestone(world: World, issuable: Issuable, user: User, milestone: Milestone | None) -> None:
    """Change the milestone."""
    if milestone is issuable.milestone:
        return
    old, issuable.milestone = issuable.milestone, milestone
    if milestone is None:
        record_event(world, issuable, user, "milestone", "remove", milestone=old)
    else:
        record_event(world, issuable, user, "milestone", "add", milestone=milestone)


def set_due_date(world: World, issue: Issue, user: User, due: date | None) -> None:
    """Change the due date."""
    if due == issue.due_date:
        return
    issue.due_date = due
    body = f"changed due date to {due:%B} {due.day}, {due.year}" if due else "removed due date"
    system_note(world, issue, user, body)


def set_locked(world: World, issuable: Issuable, user: User, locked: bool) -> None:
    """Lock or unlock the discussion."""
    if locked == bool(issuable.discussion_locked):
        return
    issuable.discussion_locked = locked
    kind = "issue" if isinstance(issuable, Issue) else "merge request"
    system_note(world, issuable, user, f"{'locked' if locked else 'unlocked'} the discussion in this {kind}")


def set_assignees(world: World, issuable: Issuable, user: User, wanted: Sequence[User]) -> None:
    """Change the assignees."""
    body = _changed_people("assigned to", "unassigned", issuable.assignees, wanted)
    issuable.assignees = list(wanted)
    if body:
        system_note(world, issuable, user, body)


def set_reviewers(world: World, merge_request: MergeRequest, user: User, wanted: Sequence[User]) -> None:
    """Change the reviewers."""
    body = _changed_people("requested review from", "removed review request for", merge_request.reviewers, wanted)
    merge_request.reviewers = list(wanted)
    if body:
        system_note(world, merge_request, user, body)


def _changed_people(added_text: str, removed_text: str, before: Sequence[User], after: Sequence[User]) -> str:
    added = [f"@{user.username}" for user in after if user not in before]
    removed = [f"@{user.username}" for user in before if user not in after]
    parts = [f"{added_text} {to_sentence(added)}"] if added else []
    parts += [f"{removed_text} {to_sentence(removed)}"] if removed else []
    return " and ".join(parts)


def close(world: World, issuable: Issuable, user: User, **cause: Any) -> None:
    """Close an issue or merge request; `cause` is source_commit or source_merge_request_id, where one of those did."""
    if issuable.state != "opened":
        return
    issuable.state, issuable.closed_at, issuable.closed_by = "closed", world.now(), user
    record_event(world, issuable, user, "state", "closed", **cause)
    _state_changed(issuable, user, "close", (1, 2))
    todos.resolve(world, issuable, user)
    if isinstance(issuable, MergeRequest):
        issuable.auto_merge, issuable.should_remove_source_branch = False, None


def reopen(world: World, issuable: Issuable, user: User) -> None:
    """Reopen an issue or merge request."""
    if issuable.state != "closed":
        return
    issuable.state, issuable.closed_at, issuable.closed_by = "opened", None, None
    record_event(world, issuable, user, "state", "reopened")
    _state_changed(issuable, user, "reopen", (2, 1))


def _state_changed(issuable: Issuable, user: User, action: str, states: tuple[int, int]) -> None:
    """Record the change of state, whose values are GitLab's numbers of the states (Issuable::STATE_ID_MAP)."""
    events.record(events.IssuableEvent(issuable, user, action, {"state_id": states}))


def link(world: World, issue: Issue, target: Issue, link_type: str, user: User) -> IssueLink:
    """Link two issues, with a system note on both."""
    new_link = IssueLink(world.next_id("issue_link"), issue, target, link_type, world.now())
    issue.links.append(new_link)
    target.links.append(new_link)
    words = {"relates_to": "marked this issue as related to", "blocks": "marked this issue as blocking"}
    text = words.get(link_type, "marked this issue as blocked by")
    system_note(world, issue, user, f"{text} {target.reference}")
    system_note(world, target, user, f"marked this issue as related to {issue.reference}")
    return new_link


def set_confidential(world: World, issue: Issue, user: User, wanted: bool) -> None:
    """Make an issue confidential, or visible to everyone who may see the project."""
    if wanted == issue.confidential:
        return
    issue.confidential = wanted
    system_note(world, issue, user, "made the issue confidential" if wanted else "made the issue visible to everyone")


def add_version(world: World, merge_request: MergeRequest, user: User | None) -> None:
    """Add a version of the merge request's diff if its head or its merge base changed since the last version.

    With `user`, a system note lists the commits that were added.
    """
    repository = merge_request.project.repository
    head, start = repository.branch(merge_request.source_branch), repository.branch(merge_request.target_branch)
    if head is None or start is None:
        return
    base = repository.merge_base(start, head) or start
    previous = merge_request.versions[-1] if merge_request.versions else None
    if previous and (previous.head, previous.base) == (head, base):
        return
    merge_request.versions.append(DiffVersion(world.next_id("diff"), base, start, head, world.now()))
    repository.keep(f"refs/merge-requests/{merge_request.iid}/head", head)
    if previous is None:
        return
    for note, body in diff_notes.follow(world, merge_request, previous, user):
        outdated = system_note(world, merge_request, user or merge_request.author, body)
        outdated.discussion_id, outdated.type, outdated.position = note.discussion_id, note.type, note.position
    if user and previous.head != head:
        events.record(events.IssuableEvent(merge_request, user, "update", oldrev=previous.head))
        _note_commits(world, merge_request, user, previous, base)
        todos.resolve(world, merge_request, user)


def _note_commits(world: World, merge_request: MergeRequest, user: User, previous: DiffVersion, base: str) -> None:
    project, version = merge_request.project, merge_request.version
    pushed = project.repository.log([f"^{previous.head}", version.head])[::-1]
    if not pushed:
        return
    added = {commit.sha for commit in project.repository.log([f"^{previous.head}", f"^{base}", version.head])}
    existing = [commit.sha[:8] for commit in pushed if commit.sha not in added]
    items = ""
    if existing:
        span = existing[0] if len(existing) == 1 else f"{previous.head[:8]}...{existing[-1]}"
        target = html.escape(merge_request.target_branch)
        items = f"<li>{span} - {_count(existing)} from branch <code>{target}</code></li>"
    items += "".join(
        f"<li>{commit.sha[:8]} - {html.escape(commit.title)}</li>" for commit in pushed if commit.sha in added
    )
    diffs = f"/{project.full_path}/-/merge_requests/{merge_request.iid}/diffs"
    page = f"{diffs}?diff_id={version.id}&start_sha={previous.head}"
    body = f"added {_count(pushed)}\n\n<ul>{items}</ul>\n\n[Compare with previous version]({page})"
    system_note(world, merge_request, user, body)


def _count(commits: Sequence[object]) -> str:
    return f"{len(commits)} commit{'s' if len(commits) > 1 else ''}"


def mark_merged(world: World, merge_request: MergeRequest, user: User, source_commit: str | None = None) -> None:
    """Mark a merge request as merged, and close the issues that it closes.

    `source_commit` is the commit that brought it into the target branch, where a push did (MergeRequests::
    PostMergeService is then called with that commit).
    """
    merge_request.state, merge_request.merged_at, merge_request.merged_by, merge_request.merge_error = (
        "merged",
        world.now(),
        user,
        None,
    )
    merge_request.auto_merge = False
    record_event(world, merge_request, user, "state", "merged", source_commit=source_commit)
    _state_changed(merge_request, user, "merge", (1, 3))
    todos.resolve(world, merge_request, user)
    for issue in references.closes(merge_request):
        close(world, issue, user, source_merge_request_id=merge_request.id)


def branch_moved(
    world: World,
    project: Project,
    user: User,
    branch: str,
    old: str | None,
    new: str | None,
    *,
    pipeline: str = "created",
) -> None:
    """Update merge requests, issues and pipelines after a branch moved by a push, a merge or an API request.

    It follows MergeRequests::RefreshService: a merge request whose source branch is gone is closed
    (#close_upon_missing_source_branch_ref), one whose head the target branch has got is merged
    (#post_merge_manually_merged), and a push to the source branch ends auto-merge (#abort_auto_merges).

    `old` and `new` are the branch's commits, None if the branch did not exist or is deleted. `pipeline` is the status
    of the pipeline that this creates, or "" to create none.
    """
    repository = project.repository
    if new is None:
        for one in [*project.merge_requests.values()]:
            if one.state == "opened" and one.source_branch == branch:
                close(world, one, user)
                system_note(world, one, user, f"deleted source branch `{branch}`")
        return
    _settle_default(project, branch)
    for one in list(project.merge_requests.values()):
        if one.state == "opened" and one.source_branch == branch:
            if one.auto_merge and one.version.head != new:
                one.auto_merge, one.should_remove_source_branch = False, None
                system_note(world, one, user, "aborted the automatic merge because the source branch was updated")
            add_version(world, one, user)
        waits = one.state == "opened" and one.target_branch == branch and one.version.head != one.version.base
        if waits and repository.is_ancestor(one.version.head, new):
            one.merge_commit_sha = repository.first_with(one.version.head, new)
            mark_merged(world, one, user, one.merge_commit_sha)
    # The commits that a new branch shares with other branches were processed when those branches got them.
    excluded = [f"^{old}"] if old else ["--not", f"--exclude={branch}", "--branches"]
    for commit in repository.log([new, "--max-count=100", *excluded]):
        if branch == repository.default_branch and old:
            for issue in references.closing_issues(project, commit.message):
                close(world, issue, user, source_commit=commit.sha)
        for target in references.mentions(project, commit.message):
            body = f"mentioned in commit {commit.sha}"
            if not any(note.system and note.body == body for note in target.notes):
                system_note(world, target, user, body)
    if pipeline:
        pipelines.begin_for_push(world, project, user, branch, new, pipeline)


def _settle_default(project: Project, branch: str) -> None:
    """Make the first branch of an empty project its default branch, as GitLab does."""
    repository = project.repository
    if repository.branch(repository.default_branch) is None and len(repository.branches()) == 1:
        level = project.protected.pop(repository.default_branch, None)
        repository.set_default_branch(branch)
        if level:
            project.protected[branch] = level
