"""To-do items, created and set to done by the rules of TodoService (app/services/todo_service.rb)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable, Issue, MergeRequest, Pipeline, Project, Todo
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.mentions import addressed, mentioned


def create(
    world: World,
    users: Iterable[User],
    target: Issuable,
    author: User,
    action: str,
    *,
    note: Note | None = None,
    created_at: datetime | None = None,
) -> list[Todo]:
    """Create a to-do item for each user who has none pending for the target, whatever its action; returns the new ones.

    GitLab's feature flag multiple_todos, which allows several, is off by default.
    """
    created = []
    with world.lock:
        for user in dict.fromkeys(users):
            if not _pending(world, user, target):
                when = created_at or world.now()
                created.append(Todo(world.next_id("todo"), user, author, target, action, when, when, note))
                world.todos.append(created[-1])
    return created


def resolve(world: World, target: Issuable, user: User, *, thread: str = "") -> None:
    """Set the user's pending to-do items for the target to done, with `thread` only those about notes in it."""
    with world.lock:
        for todo in _pending(world, user, target):
            if not thread or (todo.note is not None and todo.note.discussion_id == thread):
                finish(world, todo)


def finish(world: World, todo: Todo) -> None:
    """Set a to-do item to done."""
    if todo.state == "pending":
        todo.state, todo.updated_at = "done", world.now()


def of_user(world: World, user: User) -> list[Todo]:
    """The to-do items of a user, newest first, of targets and notes that still exist in projects that they may see."""
    return [todo for todo in reversed(list(world.todos)) if todo.user is user and _exists(world, todo)]


def new_issuable(world: World, issuable: Issuable, author: User, created_at: datetime | None = None) -> None:
    """Create the to-do items of a new issue or merge request."""
    create(world, issuable.assignees, issuable, author, "assigned", created_at=created_at)
    if isinstance(issuable, MergeRequest):
        create(world, issuable.reviewers, issuable, author, "review_requested", created_at=created_at)
    _mention(world, issuable, author, _text(issuable), created_at=created_at)


@contextmanager
def updating(world: World, issuable: Issuable, user: User) -> Iterator[None]:
    """Create and finish to-do items for what the `with` block changes about an issue or merge request.

    Issues::UpdateService and MergeRequests::UpdateService: whoever changes something has dealt with the target.
    """
    before, old_text = _snapshot(issuable), _text(issuable)
    old_assignees, old_reviewers = list(issuable.assignees), _reviewers(issuable)
    yield
    if _snapshot(issuable) == before:
        return
    resolve(world, issuable, user)
    added = [person for person in issuable.assignees if person not in old_assignees]
    create(world, added, issuable, user, "assigned")
    added = [person for person in _reviewers(issuable) if person not in old_reviewers]
    create(world, added, issuable, user, "review_requested")
    if _text(issuable) != old_text:
        _mention(world, issuable, user, _text(issuable), skip=_people(world, issuable.project, mentioned(old_text)))


def noted(world: World, noteable: Issuable, note: Note, *, before: str = "") -> None:
    """Create and finish to-do items for a new note, or for a changed one whose old text is `before`.

    A note in a thread finishes the author's items about notes of that thread, a single comment all for the noteable.
    """
    if note.system:
        return
    resolve(world, noteable, note.author, thread=note.discussion_id if note.type else "")
    skip = _people(world, noteable.project, mentioned(before))
    _mention(
        world, noteable, note.author, note.body, note=note, skip=skip, created_at=None if before else note.created_at
    )


def pipeline_failed(world: World, pipeline: Pipeline) -> None:
    """Tell the author of each open merge request whose newest commit the pipeline is of, and whoever set auto-merge.

    MergeRequests::AddTodoWhenBuildFailsService.
    """
    for merge_request in _merge_requests_of(pipeline):
        for user in _merge_participants(merge_request):
            create(world, [user], merge_request, user, "build_failed")


def build_retried(world: World, pipeline: Pipeline) -> None:
    """Set the to-do items to done that a failed pipeline created, and any other for its merge requests."""
    for merge_request in _merge_requests_of(pipeline):
        for user in _merge_participants(merge_request):
            resolve(world, merge_request, user)


def _merge_requests_of(pipeline: Pipeline) -> list[MergeRequest]:
    requests = list(pipeline.project.merge_requests.values())
    return [
        one
        for one in requests
        if one.state == "opened"
        and one.version.head == pipeline.sha
        and pipeline.ref in (one.source_branch, f"refs/merge-requests/{one.iid}/head")
    ]


def _merge_participants(merge_request: MergeRequest) -> list[User]:
    people = [merge_request.author]
    if merge_request.auto_merge and merge_request.merged_by is not None:
        people.append(merge_request.merged_by)
    return people


def _pending(world: World, user: User, target: Issuable) -> list[Todo]:
    return [todo for todo in world.todos if todo.state == "pending" and todo.user is user and todo.target is target]


def _exists(world: World, todo: Todo) -> bool:
    target, project = todo.target, todo.target.project
    items = project.issues if isinstance(target, Issue) else project.merge_requests
    return (
        world.projects.get(project.id) is project
        and items.get(target.iid) is target
        and (todo.note is None or todo.note in target.notes)
        and permissions.may_see(todo.user, project)
    )


def _mention(
    world: World,
    target: Issuable,
    author: User,
    text: str,
    *,
    note: Note | None = None,
    skip: Iterable[User] = (),
    created_at: datetime | None = None,
) -> None:
    project, skipped = target.project, set(skip)
    for action, names in (("directly_addressed", addressed(text)), ("mentioned", mentioned(text))):
        users = [
            user
            for user in _people(world, project, names)
            if user not in skipped
            and _may_read(user, target)
            and (note is None or permissions.may_read_note(user, target, note))
        ]
        create(world, users, target, author, action, note=note, created_at=created_at)
        skipped |= set(users)


def _people(world: World, project: Project, names: Iterable[str]) -> list[User]:
    """The users with these names; @all stands for the members of the project."""
    users: list[User] = []
    for name in names:
        user = world.user_by_name(name)
        users += list(project.members) if name.lower() == "all" else [user] if user else []
    return list(dict.fromkeys(users))


def _may_read(user: User, target: Issuable) -> bool:
    if isinstance(target, Issue):
        return permissions.may_see(user, target.project) and permissions.may_read_issue(user, target)
    return permissions.may_read_code(user, target.project)


def _may_read_note(user: User, target: Issuable, note: Note) -> bool:
    return permissions.may_read_note(user, target, note)


def _text(issuable: Issuable) -> str:
    return f"{issuable.title}\n\n{issuable.description or ''}"


def _reviewers(issuable: Issuable) -> list[User]:
    return list(issuable.reviewers) if isinstance(issuable, MergeRequest) else []


def _snapshot(issuable: Issuable) -> tuple[object, ...]:
    target = issuable.target_branch if isinstance(issuable, MergeRequest) else ""
    changeable = (issuable.title, issuable.description, list(issuable.labels), issuable.milestone, target)
    return (*changeable, list(issuable.assignees), _reviewers(issuable))
