"""Tools for threads, which GitLab's API calls discussions, and for editing comments in them."""

from functools import partial
from typing import Any

from gitlab_mcp.api import discussions
from gitlab_mcp.api import notes as notes_api
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import threads as render
from gitlab_mcp.render.notes import note_updated
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.notes import NOTE_CHARACTERS, On, ReplyTo, comment_id, discussion_of, noun_of_call, url_or_empty
from gitlab_mcp.tools.params import Iid, OldText, PageNumber, Project
from gitlab_mcp.tools.text_edits import edited_body


@tool(toolset="discussions", job_token=False)
def list_discussions(
    ctx: Ctx, iid: Iid = "", on: On = "", unresolved: bool = False, page: PageNumber = 1, project: Project = ""
) -> str:
    """List threads of an issue or merge request (#7, !12), newest first, with the code they are attached to."""
    target = _target(ctx, iid, on, project)
    gitlab = ctx.gitlab
    ctx.begin_authors(target.project)
    merge_request = gitlab.start(gitlab.get, target.path) if target.noun == "merge request" else None
    threads = discussions.newest_threads(target, page, unresolved=unresolved)
    authors = ctx.authors(target.project, [note for thread in threads.rows for note in thread.notes])
    head = (merge_request.result() if merge_request else Entity(None)).sha("sha")
    arguments: dict[str, Any] = {"iid": iid, "on": on, "unresolved": unresolved or None, "project": project}
    return render.threads(threads, target.sign, head, authors, arguments)


@tool(toolset="discussions", writes=True, idempotent=True, job_token=False)
def resolve_discussion(
    ctx: Ctx, thread: ReplyTo, resolved: bool = True, iid: Iid = "", on: On = "", project: Project = ""
) -> str:
    """Resolve a thread, or with resolved: false reopen it."""
    target = _target(ctx, iid, on, project, thread)
    url = target.web_url  # fetched before the write, because nothing may fail after it
    discussion = discussion_of(ctx, target, thread.strip())
    if not discussion:
        raise InvalidArgument("thread is empty: give the id of a comment in it, such as 101.")
    written = discussions.set_resolved(ctx.gitlab, target.path, discussion, resolved=resolved)
    return render.resolved(written, resolved, target.sign, url)


@tool(toolset="discussions", writes=True, destructive=True, idempotent=True, job_token=False, opt_in=True)
def update_note(
    ctx: Ctx, note: ReplyTo, body: str, old_text: OldText = "", iid: Iid = "", on: On = "", project: Project = ""
) -> str:
    """Edit a comment that you wrote."""
    target = _target(ctx, iid, on, project, note)
    url = target.web_url
    if not (body.strip() or old_text) or len(body) > NOTE_CHARACTERS:
        raise InvalidArgument(f"body has {len(body):,} characters: GitLab takes 1 to {NOTE_CHARACTERS:,}.")
    number = notes_api.note_id(comment_id(ctx, target, note.strip()))
    edit = partial(edited_body, body=body, old_text=old_text)
    written, sent = notes_api.change_note(ctx.gitlab, f"{target.path}/notes/{number}", edit)
    return note_updated(written, {"body": sent}, target.sign, url)


def _target(ctx: Ctx, iid: str, on: On, project: str, comment: str = "") -> Noteable:
    """Return the issue or merge request that iid names, else the URL of the comment, else the one of this run."""
    iid = iid or url_or_empty(comment)
    return ctx.noteable(noun_of_call(on, iid or ctx.settings.job.sign, comment), iid, project)
