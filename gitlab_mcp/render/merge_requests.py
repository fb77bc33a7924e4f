"""Merge requests as an agent reads them."""

from gitlab_mcp.api.discussions import Comments
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.members import Authors
from gitlab_mcp.render.issues import COMMENT_BYTES
from gitlab_mcp.render.lists import state
from gitlab_mcp.render.notes import comments
from gitlab_mcp.render.people import byline, description, mention, title
from gitlab_mcp.render.sanitise import one_line
from gitlab_mcp.render.text import confirmed, facts, labelled
from gitlab_mcp.repository import Opened


def merge_request_row(authors: Authors, entity: Entity) -> str:
    """A merge request in a list."""
    return facts(
        f"!{entity.number('iid')} {title(entity, authors)} ({_state(entity)})",
        mention(entity.text("author", "username")),
        branches(entity),
        labelled("labels", entity.texts("labels")),
        entity.day("updated_at"),
    )


def merge_request(entity: Entity, closes: list[Entity], shown: Comments, authors: Authors) -> str:
    """A whole merge request: facts, description, a page of comments."""
    changes = one_line(entity.text("changes_count"), 10)
    head = [
        f"# !{entity.number('iid')} {title(entity, authors, 300)} ({_state(entity)})",
        facts(
            byline(entity, authors),
            branches(entity),
            f"head: {entity.sha('sha')[:12]}" if entity.sha("sha") else "no commits",
            f"{changes} files changed" if changes and changes != "1" else f"{changes or 0} file changed",
        ),
        facts(
            f"merge status: {merge_status(entity)}",
            _pipeline(entity),
            labelled("labels", entity.texts("labels")),
            labelled("assigned", (mention(user.text("username")) for user in entity.entities("assignees"))),
            labelled("reviewers", (mention(user.text("username")) for user in entity.entities("reviewers"))),
            labelled("milestone", [entity.text("milestone", "title")]),
            labelled("closes", (f"#{issue.number('iid')}" for issue in closes if issue.number("iid"))),
        ),
        entity.url("web_url"),
    ]
    return "\n".join(head) + f"\n\n{description(entity, authors)}\n\n{comments(shown, COMMENT_BYTES, authors)}"


def branches(entity: Entity) -> str:
    """`source -> target`."""
    return f"{one_line(entity.text('source_branch'), 255)} -> {one_line(entity.text('target_branch'), 255)}"


def merge_status(entity: Entity) -> str:
    """GitLab's detailed_merge_status in words, such as "mergeable" or "draft status"."""
    if entity.flag("has_conflicts"):
        return "conflict with the target branch"
    return one_line(entity.text("detailed_merge_status").replace("_", " "), 60) or "unknown"


def merge_request_written(done: str, opened: Opened) -> str:
    """What a write answers: what was done, to which merge request, and where it is."""
    entity = opened.merge_request.result
    draft = "draft " if entity.flag("draft") else ""
    remarks = "".join(f"\n{one_line(remark, 1000)}" for remark in opened.remarks)
    said = f"{done} {draft}!{entity.number('iid')} ({branches(entity)}): {entity.url('web_url')}"
    return f"{said}{confirmed(opened.merge_request)}{remarks}"


def _state(entity: Entity) -> str:
    return state(entity.text("state")) + (", draft" if entity.flag("draft") else "")


def _pipeline(entity: Entity) -> str:
    status = entity.text("head_pipeline", "status")
    return f"pipeline: {one_line(status, 30)} (id {entity.number('head_pipeline', 'id')})" if status else ""
