"""What happens to issues and merge requests: comments, system notes, changes of state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.state import pipelines
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
    """Add a comment, in an existing thread or as the first of a new one, and note what it mentions."""
    number = world.next_id("note")
    when = created_at or world.now()
    thread = thread or discussion_id(number)
    note = Note(number, author, body, when, when, thread, type, internal=internal, position=position)
    noteable.notes.append(note)
    noteable.updated_at = max(noteable.updated_at, when)
    if not internal:
        mention(world, noteable, author, body)
    return note


def system_note(world: World, noteable: Issuable, author: User, body: str, created_at: datetime | None = None) -> Note:
    """Record something that happened."""
    number = world.next_id("note")
    when = created_at or world.now()
    note = Note(number, author, body, when, when, discussion_id(number), system=True)
    noteable.notes.append(note)
    noteable.updated_at = max(noteable.updated_at, when)
    return note


def mention(world: World, source: Issuable, author: User, text: str) -> None:
    """Record on everything that a text names that it was mentioned there, once."""
    kind = "issue" if isinstance(source, Issue) else "merge request"
    if isinstance(source, Issue) and source.confidential:
        return
    for target in references.mentions(source.project, text):
        body = f"mentioned in {kind} {source.reference}"
        if target is not source and not any(note.system and note.body == body for note in target.notes):
            system_note(world, target, author, body)


def set_title(world: World, one: Issuable, user: User, title: str) -> None:
    """Change the title; a merge request that becomes a draft or ready says so."""
    if title == one.title:
        return
    was_draft = isinstance(one, MergeRequest) and one.draft
    old, one.title = one.title, title
    if isinstance(one, MergeRequest) and one.draft != was_draft:
        body = "marked this merge request as **draft**" if one.draft else "marked this merge request as **ready**"
        system_note(world, one, user, body)
    else:
        system_note(world, one, user, f"changed title from **{{-{old}-}}** to **{{+{title}+}}**")
    mention(world, one, user, title)


def set_description(world: World, one: Issuable, user: User, description: str | None) -> None:
    """Change the description."""
    if (description or "") == (one.description or ""):
        return
    old, one.description = one.description or "", description
    boxes = [line for line in (description or "").splitlines() if re.match(r"\s*[-*+] \[[xX]\]", line)]
    done = [line.split("]", 1)[1].strip() for line in boxes if line not in old]
    if done and old.replace("[ ]", "[x]") == (description or "").replace("[ ]", "[x]"):
        system_note(world, one, user, f"marked the checklist item **{done[0]}** as completed")
    else:
        system_note(world, one, user, "changed the description")
    mention(world, one, user, description or "")


def set_labels(world: World, one: Issuable, user: User, wanted: Sequence[Label]) -> None:
    """Change the labels."""
    added = [label for label in wanted if label not in one.labels]
    removed = [label for label in one.labels if label not in wanted]
    one.labels = list(wanted)
    parts = [f"added {_names(added)}"] if added else []
    parts += [f"removed {_names(removed)}"] if removed else []
    if parts:
        system_note(world, one, user, f"{' and '.join(parts)} label{'s' if len(added) + len(removed) > 1 else ''}")


def _names(labels: Sequence[Label]) -> str:
    return " ".join(f'~"{label.name}"' if " " in label.name else f"~{label.name}" for label in labels)


def set_milestone(world: World, one: Issuable, user: User, milestone: Milestone | None) -> None:
    """Change the milestone."""
    if milestone is one.milestone:
        return
    one.milestone = milestone
    system_note(world, one, user, f"changed milestone to %{milestone.title}" if milestone else "removed milestone")


def set_assignees(world: World, one: Issuable, user: User, wanted: Sequence[User]) -> None:
    """Change the assignees."""
    body = _changed_people("assigned to", "unassigned", one.assignees, wanted)
    one.assignees = list(wanted)
    if body:
        system_note(world, one, user, body)


def set_reviewers(world: World, one: MergeRequest, user: User, wanted: Sequence[User]) -> None:
    """Change the reviewers."""
    body = _changed_people("requested review from", "removed review request for", one.reviewers, wanted)
    one.reviewers = list(wanted)
    if body:
        system_note(world, one, user, body)


def _changed_people(added_text: str, removed_text: str, before: Sequence[User], after: Sequence[User]) -> str:
    added = [f"@{user.username}" for user in after if user not in before]
    removed = [f"@{user.username}" for user in before if user not in after]
    parts = [f"{added_text} {' and '.join(added)}"] if added else []
    parts += [f"{removed_text} {' and '.join(removed)}"] if removed else []
    return " and ".join(parts)


def close(world: World, one: Issuable, user: User, because: str = "") -> None:
    """Close it; `because` is what did, such as "via merge request !3"."""
    if one.state != "opened":
        return
    one.state, one.closed_at, one.closed_by = "closed", world.now(), user
    system_note(world, one, user, f"closed {because}".strip())


def reopen(world: World, one: Issuable, user: User) -> None:
    """Open it again."""
    if one.state != "closed":
        return
    one.state, one.closed_at, one.closed_by = "opened", None, None
    system_note(world, one, user, "reopened")


def link(world: World, issue: Issue, target: Issue, link_type: str, user: User) -> IssueLink:
    """Tie two issues together, and say so on both."""
    made = IssueLink(world.next_id("issue_link"), issue, target, link_type, world.now())
    issue.links.append(made)
    target.links.append(made)
    words = {"relates_to": "marked this issue as related to", "blocks": "marked this issue as blocking"}
    text = words.get(link_type, "marked this issue as blocked by")
    system_note(world, issue, user, f"{text} {target.reference}")
    system_note(world, target, user, f"marked this issue as related to {issue.reference}")
    return made


def set_confidential(world: World, issue: Issue, user: User, wanted: bool) -> None:
    """Hide an issue from those outside the project, or show it."""
    if wanted == issue.confidential:
        return
    issue.confidential = wanted
    system_note(world, issue, user, "made the issue confidential" if wanted else "made the issue visible to everyone")


def add_version(world: World, one: MergeRequest, user: User | None) -> None:
    """Let a merge request follow its branches: a new version of its diff if source or target moved its base."""
    repository = one.project.repository
    head, start = repository.branch(one.source_branch), repository.branch(one.target_branch)
    if head is None or start is None:
        return
    base = repository.merge_base(start, head) or start
    previous = one.versions[-1] if one.versions else None
    if previous and (previous.head, previous.base) == (head, base):
        return
    one.versions.append(DiffVersion(world.next_id("diff"), base, start, head, world.now()))
    repository.keep(f"refs/merge-requests/{one.iid}/head", head)
    if previous and user and previous.head != head:
        _note_commits(world, one, user, previous, base)


def _note_commits(world: World, one: MergeRequest, user: User, previous: DiffVersion, base: str) -> None:
    commits = one.project.repository.log([f"^{previous.head}", f"^{base}", one.version.head])
    if not commits:
        return
    items = "".join(f"<li>{commit.sha[:8]} - {commit.title}</li>" for commit in reversed(commits))
    page = (
        f"/{one.project.full_path}/-/merge_requests/{one.iid}/diffs?diff_id={one.version.id}&start_sha={previous.head}"
    )
    count = f"{len(commits)} commit{'s' if len(commits) > 1 else ''}"
    body = f"added {count}\n\n<ul>{items}</ul>\n\n[Compare with previous version]({page})"
    system_note(world, one, user, body)


def mark_merged(world: World, one: MergeRequest, user: User, because: str = "") -> None:
    """Record that a merge request's changes are in its target branch, and close the issues that it closes."""
    one.state, one.merged_at, one.merged_by, one.merge_error = "merged", world.now(), user, None
    system_note(world, one, user, f"merged {because}".strip())
    for issue in references.closes(one):
        close(world, issue, user, f"via merge request {one.reference}")


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
    """Everything that follows when a branch points elsewhere, however it came to: by API, merge or push.

    `pipeline` is the status of the pipeline that it begins, or nothing if it begins none.
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
    # What a new branch shares with the others was noted when it got there.
    known = [f"^{old}"] if old else ["--not", f"--exclude={branch}", "--branches"]
    for commit in repository.log([new, "--max-count=100", *known]):
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
    """The first branch of an empty project becomes its default branch, as with GitLab."""
    repository = project.repository
    if repository.branch(repository.default_branch) is None and len(repository.branches()) == 1:
        level = project.protected.pop(repository.default_branch, None)
        repository.set_default_branch(branch)
        if level:
            project.protected[branch] = level
