"""Render issues."""

from collections.abc import Sequence

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.discussions import Comments
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Difference
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.issues import UpdatedIssue
from gitlab_mcp.render.field_comparison import differs, not_set, was_cleared
from gitlab_mcp.render.markdown import confirmed, facts, labelled
from gitlab_mcp.render.notes import COMMENT_BYTES, comments
from gitlab_mcp.render.pagination import state
from gitlab_mcp.render.user_text import byline, description, mention, stored_otherwise, title


def issue_row(authors: Authors, issue: Entity) -> str:
    """Render an issue in a list."""
    return facts(
        f"#{issue.number('iid')} {title(issue, authors)} ({state(issue.text('state'))})",
        mention(issue.text("author", "username")),
        labelled("labels", issue.texts("labels")),
        labelled("assigned", (mention(user.text("username")) for user in issue.entities("assignees"))),
        issue.day("updated_at"),
        "confidential" if issue.flag("confidential") else "",
    )


def issue(entity: Entity, related: list[Entity], closing: list[Entity], shown: Comments, authors: Authors) -> str:
    """Render a whole issue: facts, description, a page of comments."""
    closers = {merge_request.number("id") for merge_request in closing}
    linked = {merge_request.number("id"): merge_request for merge_request in [*closing, *related]}
    head = [
        f"# #{entity.number('iid')} {title(entity, authors, 300)} ({state(entity.text('state'))})",
        facts(
            byline(entity, authors),
            "confidential" if entity.flag("confidential") else "",
            labelled("labels", entity.texts("labels")),
            labelled("assigned", (mention(user.text("username")) for user in entity.entities("assignees"))),
            labelled("milestone", [entity.text("milestone", "title")]),
            f"due: {entity.day('due_date')}" if entity.text("due_date") else "",
        ),
        facts(
            entity.url("web_url"),
            labelled("merge requests", (_linked(each, closers) for each in list(linked.values())[:10])),
        ),
    ]
    texts = [(entity, "title"), (entity, "description"), *((comment.note, "body") for comment in shown.rows)]
    rest = f"\n\n{description(entity, authors)}\n\n{comments(shown, COMMENT_BYTES, authors)}"
    return "\n".join(head) + rest + stored_otherwise(texts, authors)


def _linked(merge_request: Entity, closers: set[int]) -> str:
    closes = ", closes this" if merge_request.number("id") in closers else ""
    return f"!{merge_request.number('iid')} ({state(merge_request.text('state'))}{closes})"


def issue_created(written: WriteResult[Entity], not_taken: Sequence[Difference], *, again: bool) -> str:
    """Render the answer of create_issue; `again` is whether an equal call had created the issue before.

    `not_taken` are the fields in which the issue differs from the arguments.
    """
    if not again:
        return _written("Created", written) + not_set(not_taken, "Planner")
    return _written("Already created minutes ago:", written) + differs(not_taken, "update_issue")


def issue_updated(updated: UpdatedIssue) -> str:
    """Render the answer of update_issue, with the fields that GitLab ignored and those that were cleared."""
    return _written("Updated", updated.issue) + was_cleared(updated.cleared) + not_set(updated.not_taken, "Planner")


def _written(done: str, written: WriteResult[Entity]) -> str:
    entity = written.result
    return f"{done} #{entity.number('iid')}: {entity.url('web_url')}{confirmed(written)}"
