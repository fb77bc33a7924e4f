"""Issues as an agent reads them."""

from gitlab_mcp.api.discussions import Comments
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.lists import state
from gitlab_mcp.render.notes import comments
from gitlab_mcp.render.sanitise import one_line
from gitlab_mcp.render.text import cut, facts, labelled, mention, quote

DESCRIPTION_BYTES = 16_000
COMMENT_BYTES = 20_000


def issue_row(issue: Entity) -> str:
    """An issue in a list."""
    return facts(
        f"#{issue.number('iid')} {one_line(issue.text('title'))} ({state(issue.text('state'))})",
        mention(issue.text("author", "username")),
        labelled("labels", issue.texts("labels")),
        labelled("assigned", (mention(user.text("username")) for user in issue.entities("assignees"))),
        issue.day("updated_at"),
        "confidential" if issue.flag("confidential") else "",
    )


def issue(entity: Entity, related: list[Entity], closing: list[Entity], shown: Comments) -> str:
    """A whole issue: facts, description, a page of comments."""
    closers = {merge_request.number("id") for merge_request in closing}
    linked = {merge_request.number("id"): merge_request for merge_request in [*closing, *related]}
    head = [
        f"# #{entity.number('iid')} {one_line(entity.text('title'), 300)} ({state(entity.text('state'))})",
        facts(
            f"by {mention(entity.text('author', 'username'))} {entity.day('created_at')}",
            "confidential" if entity.flag("confidential") else "",
            labelled("labels", entity.texts("labels")),
            labelled("assigned", (mention(user.text("username")) for user in entity.entities("assignees"))),
            labelled("milestone", [entity.text("milestone", "title")]),
            f"due: {entity.day('due_date')}" if entity.text("due_date") else "",
        ),
        facts(
            entity.text("web_url"),
            labelled("merge requests", (_linked(each, closers) for each in list(linked.values())[:10])),
        ),
    ]
    description = entity.text("description").strip()
    body = (
        cut(quote(description), DESCRIPTION_BYTES, "the whole is at the URL above")
        if description
        else "(no description)"
    )
    return "\n".join(head) + f"\n\n{body}\n\n{comments(shown, COMMENT_BYTES)}"


def _linked(merge_request: Entity, closers: set[int]) -> str:
    closes = ", closes this" if merge_request.number("id") in closers else ""
    return f"!{merge_request.number('iid')} ({state(merge_request.text('state'))}{closes})"
