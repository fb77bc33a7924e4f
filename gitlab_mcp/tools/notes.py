"""Tools for comments, which GitLab's API calls notes."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gitlab_mcp.api import discussions
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import notes as render
from gitlab_mcp.tools.attachments import Attach, attached
from gitlab_mcp.tools.context import Ctx, noun_of
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Iid, Project, as_text

# https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
NOTE_CHARACTERS = 1_000_000

On = Literal["", "issue", "merge_request"]
ReplyTo = Annotated[str, BeforeValidator(as_text), Field(description="id of a note (n310) or discussion, or its URL")]


@tool(toolset="discussions", writes=True, always_load=True, job_token=False)
def create_note(
    ctx: Ctx,
    body: str,
    iid: Iid = "",
    on: On = "",
    reply_to: ReplyTo = "",
    internal: bool = False,
    attach: Attach = [],
    project: Project = "",
) -> str:
    """Comment on an issue or merge request, or reply in a thread.

    Say which with on, unless iid shows it (#7, !12, URL). Without iid and reply_to it answers in the thread that this
    run is about. internal: only project members see it.
    """
    job = ctx.settings.job
    if not iid and not reply_to:
        reply_to = job.discussion
    iid = iid or url_or_empty(reply_to)
    noun = noun_of_call(on, iid or job.sign, reply_to)
    target = ctx.noteable(noun, iid, project)
    if not body.strip():
        raise InvalidArgument("body is empty: write what the comment says.")
    if len(body) > NOTE_CHARACTERS:
        raise InvalidArgument(f"body has {len(body):,} characters, and GitLab takes {NOTE_CHARACTERS:,}: shorten it.")
    url = target.web_url  # fetched before the write, because nothing may fail after it
    thread = discussion_of(ctx, target, reply_to.strip())
    if thread and internal:
        raise InvalidArgument("A reply is internal when its thread is: leave internal out.")
    body = attached(ctx, target.project, body, attach)
    written, again = ctx.app.notes.post(target.path, body, thread, internal=internal)
    asked = {"body": ctx.gitlab.outgoing(body)} | ({"internal": True} if internal else {})
    return render.note_created(written, asked, target.sign, url, is_reply=bool(reply_to), again=again)


def noun_of_call(on: On, iid: str, reply_to: str) -> Literal["issue", "merge request"]:
    """Return the noun that `on` says, else the one that the reference or the URL of a comment shows.

    Raises InvalidArgument when none of them says which noun it is.
    """
    explicit: Literal["issue", "merge request"] | None = (
        "merge request" if on == "merge_request" else "issue" if on == "issue" else None
    )
    noun = explicit or noun_of(iid) or noun_of(reply_to)
    if noun is None and not iid:
        raise InvalidArgument("iid is missing: say which issue or merge request, such as #7 or !12.")
    if noun is None:
        raise InvalidArgument(f'Is {iid} an issue or a merge request? Give on: "issue" or on: "merge_request".')
    return noun


def discussion_of(ctx: Ctx, target: Noteable, reply_to: str) -> str:
    """Return the id of the discussion that `reply_to` names; "" for none. Raises InvalidArgument if it does not exist.

    `reply_to` is the id of a note or of a discussion, or the URL of a comment.
    """
    if not reply_to:
        return ""
    return discussions.thread_of(ctx.gitlab, target.path, comment_id(ctx, target, reply_to))


def comment_id(ctx: Ctx, target: Noteable, comment: str) -> str:
    """Return the id in `comment`, which is an id or the URL of a comment on `target`.

    Raises InvalidArgument for a URL that is not of a comment on `target`.
    """
    if not url_or_empty(comment):
        return comment.removeprefix("#").removeprefix("note_")
    noteable = ctx.noteable(target.noun, comment)
    if not noteable.note or noteable.iid != target.iid or not target.project.is_called(noteable.project.name):
        raise InvalidArgument(f"{comment} is not the URL of a comment on {target.sign} (…#note_101).")
    return noteable.note


def url_or_empty(comment: str) -> str:
    """Return `comment` if it is a URL, which also names its issue or merge request; else ""."""
    return comment if comment.lower().startswith(("http://", "https://")) else ""
