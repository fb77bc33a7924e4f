"""Render comments."""

from collections.abc import Sequence

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.discussions import Comment, Comments
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.render.field_comparison import not_set
from gitlab_mcp.render.markdown import confirmed, count, facts, share
from gitlab_mcp.render.user_text import edited_remark, mention, words
from gitlab_mcp.safety.sanitize import one_line

CHANGES = 50  # events in an answer
COMMENT_BYTES = 20_000  # of the text of all comments in an answer


def comments(shown: Comments, budget: int, authors: Authors) -> str:
    """Render a page of comments, with at most about `budget` bytes of their text, and how to get older ones."""
    if shown.unreadable:
        return f"## Comments are not shown\n{shown.unreadable}"
    if not shown.rows:
        return "## No comments" if shown.page == 1 else f"## No comments on page {shown.page}"
    bodies = share([words(comment.note, "body", authors) for comment in shown.rows], budget)
    parts = [f"{_head(comment, authors)}\n{body}" for comment, body in zip(shown.rows, bodies, strict=True)]
    return f"{_title(shown)}\n" + "\n\n".join(parts)


def changes(events: Sequence[Entity]) -> str:
    """Render who changed labels, milestone and state: a row for each event, the newest CHANGES; "" for none."""
    rows = [_change(event) for event in events[-CHANGES:]]
    newest = f" (newest {CHANGES} of {len(events):,})" if len(events) > CHANGES else ""
    return "\n".join([f"\n\n## Changes of labels, milestone and state{newest}", *rows]) if rows else ""


def _change(event: Entity) -> str:
    """Return `2026-11-20 @username added label bug`."""
    done = one_line(event.text("action") or event.text("state"), 40)
    what = done
    for kind, name in (("label", "name"), ("milestone", "title")):
        if event.text("action") and kind in event.names():
            verb = {"add": "added", "remove": "removed"}.get(done, done)
            what = f"{verb} {kind} {one_line(event.text(kind, name), 80) or '(deleted)'}"
    return f"{event.day('created_at')} {mention(event.text('user', 'username'))} {what}"


def _title(shown: Comments) -> str:
    total = f" of {shown.total:,}" if shown.total is not None else ""
    newest = f"newest {len(shown.rows)}" if shown.page == 1 else f"page {shown.page}, {len(shown.rows)}"
    older = f"; page {shown.next_page}: older ones" if shown.next_page else ""
    if shown.page == 1 and not older:
        return f"## {count(len(shown.rows), 'comment').capitalize()}"
    return f"## Comments ({newest}{total}{older})"


def _head(comment: Comment, authors: Authors) -> str:
    note = comment.note
    return facts(
        note_head(note, authors),
        f"reply to n{comment.reply_to}" if comment.reply_to else "",
        where(note),
        resolution(note, not note.flag("resolved")) if not comment.reply_to else "",
    )


def note_head(note: Entity, authors: Authors) -> str:
    """Return `n101 @username 2026-11-20`, with the standing of the author and marks for system and internal notes."""
    return facts(
        f"n{note.number('id')} {mention(note.text('author', 'username'))} {note.day('created_at')}"
        f"{_standing(note, authors)}",
        "system" if note.flag("system") else "",
        "internal" if note.flag("internal") or note.flag("confidential") else "",
        edited_remark(note),
    )


def _standing(note: Entity, authors: Authors) -> str:
    return "" if note.flag("system") else authors.role_remark(note.entity("author"))


def where(note: Entity) -> str:
    """Return the line of code of a note, such as `src/app.py:14`, or `:14 (old)` for a removed one; "" for none."""
    position = note.entity("position")
    line, old = position.number("new_line"), position.number("old_line")
    is_removed = bool(old and not line)
    path = position.text("old_path") if is_removed else position.text("new_path") or position.text("old_path")
    number = f":{line or old}" if line or old else ""
    return f"{one_line(path, 300)}{number}{' (old)' if is_removed else ''}" if path else ""


def resolution(note: Entity, is_open: bool) -> str:
    """Say whether the thread that starts with a note is resolved; "" if it cannot be resolved."""
    if not note.flag("resolvable"):
        return ""
    return "unresolved" if is_open else "resolved"


def note_created(
    written: WriteResult[Entity], asked: Asked, where: str, url: str, *, is_reply: bool, again: bool
) -> str:
    """Render the answer of create_note; `again` is whether an equal call had posted the note before."""
    note = written.result
    kind = "Replied" if is_reply else "Commented"
    done = "Already posted minutes ago:" if again else f"{kind} on {where}"
    internal = " (internal)" if note.flag("internal") else ""
    colon = "" if again else ":"
    answer = f"{done}{internal}{colon} n{note.number('id')}{confirmed(written)}\n{url}#note_{note.number('id')}"
    return answer + not_set(not_taken(asked, note), "Planner")


def note_updated(written: WriteResult[Entity], asked: Asked, sign: str, url: str) -> str:
    """Render the answer of update_note."""
    number = written.result.number("id")
    differences = not_set(not_taken(asked, written.result), "Planner")
    return f"Updated n{number} on {sign}.{confirmed(written)}\n{url}#note_{number}{differences}"
