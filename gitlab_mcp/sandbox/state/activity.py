"""Activity on issues and merge requests: comments, and changes with the system notes that GitLab writes about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.state import pipelines, todos
from gitlab_mcp.sandbox.state.model import (
    DiffVersion,
    Issuable,
    Issue,
    IssueLink,
    Label,
    MergeRequest,
    Milestone,
    Project,
)
from gitlab_mcp.sandbox.state.notes import Note, discussion_id
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import references


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
    if isinstance(issuable, MergeRequest) and issuable.draft != was_draft:
        body = "marked this merge request as **draft**" if issuable.draft else "marked this merge request as **ready**"
        system_note(world, issuable, user, body)
    else:
        system_note(world, issuable, user, f"changed title from **{{-{old}-}}** to **{{+{title}+}}**")
    mention(world, issuable, user, title)


def set_description(world: World, issuable: Issuable, user: User, description: str | None) -> None:
    """Change the description."""
    if (description or "") == (issuable.description or ""):
        return
    old, issuable.description = issuable.description or "", description
    boxes = [line for line in (description or "").splitlines() if re.match(r"\s*[-*+] \[[xX]\]", line)]
    done = [line.split("]", 1)[1].strip() for line in boxes if line not in old]
    if done and old.replace("[ ]", "[x]") == (description or "").replace("[ ]", "[x]"):
        system_note(world, issuable, user, f"marked the checklist item **{done[0]}** as completed")
    else:
        system_note(world, issuable, user, "changed the description")
    mention(world, issuable, user, description or "")


def set_labels(world: World, issuable: Issuable, user: User, wanted: Sequence[Label]) -> None:
    """Change the labels."""
    added = [label for label in wanted if label not in issuable.labels]
    removed = [label for label in issuable.labels if label not in wanted]
    issuable.labels = list(wanted)
    parts = [f"added {label_references(added)}"] if added else []
    parts += [f"removed {label_references(removed)}"] if removed else []
    if parts:
        system_note(world, issuable, user, f"{' and '.join(parts)} label{'s' if len(added) + len(removed) > 1 else ''}")


def label_references(labels: Sequence[Label]) -> str:
    """The labels as GitLab refers to them in text, with quotes where a name has a space."""
    return " ".join(f'~"{label.name}"' if " " in label.name else f"~{label.name}" for label in labels)


def set_milestone(world: World, issuable: Issuable, user: User, milestone: Milestone | None) -> None:
    """Change the milestone."""
    if milestone is issuable.milestone:
        return
    issuable.milestone = milestone
    system_note(world, issuable, user, f"changed milestone to %{milestone.title}" if milestone else "removed milestone")


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
    parts = [f"{added_text} {' and '.join(added)}"] if added else []
    parts += [f"{removed_text} {' and '.join(removed)}"] if removed else []
    return " and ".join(parts)


def close(world: World, issuable: Issuable, user: User, because: str = "") -> None:
    """Close an issue or merge request; `because` is the rest of the system note, such as "via merge request !3"."""
    if issuable.state != "opened":
        return
    issuable.state, issuable.closed_at, issuable.closed_by = "closed", world.now(), user
    system_note(world, issuable, user, f"closed {because}".strip())
    todos.resolve(world, issuable, user)


def reopen(world: World, issuable: Issuable, user: User) -> None:
    """Reopen an issue or merge request."""
    if issuable.state != "closed":
        return
    issuable.state, issuable.closed_at, issuable.closed_by = "opened", None, None
    system_note(world, issuable, user, "reopened")


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
    if previous and user and previous.head != head:
        _note_commits(world, merge_request, user, previous, base)
        todos.resolve(world, merge_request, user)


def _note_commits(world: World, merge_request: MergeRequest, user: User, previous: DiffVersion, base: str) -> None:
    project, version = merge_request.project, merge_request.version
    commits = project.repository.log([f"^{previous.head}", f"^{base}", version.head])
    if not commits:
        return
    items = "".join(f"<li>{commit.sha[:8]} - {commit.title}</li>" for commit in reversed(commits))
    diffs = f"/{project.full_path}/-/merge_requests/{merge_request.iid}/diffs"
    page = f"{diffs}?diff_id={version.id}&start_sha={previous.head}"
    count = f"{len(commits)} commit{'s' if len(commits) > 1 else ''}"
    body = f"added {count}\n\n<ul>{items}</ul>\n\n[Compare with previous version]({page})"
    system_note(world, merge_request, user, body)


def mark_merged(world: World, merge_request: MergeRequest, user: User, because: str = "") -> None:
    """Mark a merge request as merged, and close the issues that it closes."""
    merge_request.state, merge_request.merged_at, merge_request.merged_by, merge_request.merge_error = (
        "merged",
        world.now(),
        user,
        None,
    )
    system_note(world, merge_request, user, f"merged {because}".strip())
    todos.resolve(world, merge_request, user)
    for issue in references.closes(merge_request):
        close(world, issue, user, f"via merge request {merge_request.reference}")


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

    `old` and `new` are the branch's commits, None if the branch did not exist or is deleted. `pipeline` is the status
    of the pipeline that this creates, or "" to create none.
    """
    repository = project.repository
    if new is None:
        return
    _settle_default(project, branch)
    for one in list(project.merge_requests.values()):
        if one.state == "opened" and one.source_branch == branch:
            add_version(world, one, user)
        waits = one.state == "opened" and one.target_branch == branch and one.version.head != one.version.base
        if waits and repository.is_ancestor(one.version.head, new):
            mark_merged(world, one, user, f"manually in commit {new[:8]}")
    # The commits that a new branch shares with other branches were processed when those branches got them.
    excluded = [f"^{old}"] if old else ["--not", f"--exclude={branch}", "--branches"]
    for commit in repository.log([new, "--max-count=100", *excluded]):
        if branch == repository.default_branch and old:
            for issue in references.closing_issues(project, commit.message):
                close(world, issue, user, f"via commit {commit.sha[:8]}")
        for target in references.mentions(project, commit.message):
            body = f"mentioned in commit {commit.sha[:8]}"
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
