"""Render threads: the code they are attached to, and their comments."""

from collections.abc import Mapping

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.discussions import Thread, Threads
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.render.field_comparison import not_set
from gitlab_mcp.render.markdown import confirmed, count, cut, facts, fence, share
from gitlab_mcp.render.notes import COMMENT_BYTES, note_head, resolution, where
from gitlab_mcp.render.pagination import following
from gitlab_mcp.render.user_text import stored_otherwise, words
from gitlab_mcp.safety.sanitize import escape_invisible

CODE_BYTES = 160  # of a line
NOTES_SHOWN = 10


def threads(found: Threads, sign: str, head: str, authors: Authors, arguments: Mapping[str, object]) -> str:
    """Render a page of threads.

    `head` is the newest commit of the merge request: threads on an older version are marked. `arguments` are those of
    list_discussions.
    """
    unresolved = "unresolved " if arguments.get("unresolved") else ""
    title = f"# {sign}: {count(found.total, f'{unresolved}thread')}"
    if not unresolved and found.unresolved:
        title += f", {found.unresolved:,} unresolved"
    if not found.rows:
        return f"{title}; none on page {found.page}" if found.total else title
    pages = f", newest first · page {found.page}" if found.page > 1 or found.next_page else ", newest first"
    notes = [_shown(thread) for thread in found.rows]
    bodies = iter(share([words(note, "body", authors) for shown in notes for note in shown], COMMENT_BYTES))
    parts, code = [f"{title}{pages}"], list[tuple[str, str]]()
    for thread, shown in zip(found.rows, notes, strict=True):
        parts.append(f"\n{_heading(thread, head)}")
        if thread.code:
            lines = "\n".join(cut(escape_invisible(f"{number} {line}"), CODE_BYTES) for number, line in thread.code)
            code.append(("\n".join(line for _, line in thread.code), lines))
            parts.append(fence(lines))
        for number, note in enumerate(shown):
            parts.append(f"{note_head(note, authors)}\n{next(bodies)}")
            if number == 0 and len(shown) < len(thread.notes):
                parts.append(f"({len(thread.notes) - len(shown)} more here: the pages of comments have them)")
    texts = ((note, "body") for shown in notes for note in shown)
    remark = stored_otherwise(texts, authors, code)
    return "\n".join(parts) + remark + following("list_discussions", arguments, found.next_page)


def _shown(thread: Thread) -> list[Entity]:
    """Return the notes of a thread to show: the first one and the newest ones."""
    notes = list(thread.notes)
    return notes if len(notes) <= NOTES_SHOWN else [notes[0], *notes[1 - NOTES_SHOWN :]]


def _heading(thread: Thread, head: str) -> str:
    first = thread.notes[0]
    outdated = head and thread.position.sha("head_sha") not in ("", head)
    noun = "Comment" if thread.discussion.flag("individual_note") else "Thread"
    version = "on an older version" if outdated else ""
    return f"## {facts(where(first) or noun, version, resolution(first, thread.is_open))}"


def resolved(written: WriteResult[Entity], asked: bool, sign: str, url: str) -> str:
    """Render the answer of resolve_discussion; `asked` is whether the thread was to be resolved or reopened."""
    first_id = next((note.number("id") for note in written.result.entities("notes")), 0)
    done = "Resolved" if asked else "Reopened"
    differences = not_set(not_taken({"resolved": asked}, written.result), "Developer")
    return f"{done} the thread of n{first_id} on {sign}.{confirmed(written)}\n{url}#note_{first_id}{differences}"
