"""Render merge requests."""

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.discussions import Comments
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import Overview
from gitlab_mcp.api.pipelines import ahead
from gitlab_mcp.errors import naming
from gitlab_mcp.render.field_comparison import differs, not_set, was_cleared
from gitlab_mcp.render.markdown import confirmed, facts, labelled
from gitlab_mcp.render.merge_request_diffs import file_row
from gitlab_mcp.render.notes import COMMENT_BYTES, comments
from gitlab_mcp.render.pagination import fitting, state
from gitlab_mcp.render.user_text import byline, description, mention, stored_otherwise, title
from gitlab_mcp.repository.interface import Opened
from gitlab_mcp.safety.sanitize import one_line

FILES_BYTES = 1_500
HIDDEN_REVIEW_STATES = ("", "unreviewed", "approved")  # approvals have a field of their own; the others say nothing


def merge_request_row(authors: Authors, entity: Entity) -> str:
    """Render a merge request in a list."""
    return facts(
        f"!{entity.number('iid')} {title(entity, authors)} ({_state(entity)})",
        mention(entity.text("author", "username")),
        branches(entity),
        labelled("labels", entity.texts("labels")),
        entity.day("updated_at"),
    )


def merge_request(entity: Entity, overview: Overview, shown: Comments, authors: Authors) -> str:
    """Render a whole merge request: facts, description, changed files, a page of comments."""
    changes = one_line(entity.text("changes_count"), 10)
    head = [
        f"# !{entity.number('iid')} {title(entity, authors, 300)} ({_state(entity)})",
        facts(
            byline(entity, authors),
            branches(entity),
            f"head: {entity.sha('sha')[:12]}" if entity.sha("sha") else "no commits",
            _changed(entity, changes),
        ),
        facts(
            f"merge status: {merge_status(entity)}",
            _pipeline(entity),
            labelled("labels", entity.texts("labels")),
            labelled("assigned", (mention(user.text("username")) for user in entity.entities("assignees"))),
            labelled("reviewers", _reviewers(entity, overview)),
            labelled("approved by", (mention(each.text("user", "username")) for each in _approvals(overview))),
            labelled("milestone", [entity.text("milestone", "title")]),
            labelled("closes", (f"#{issue.number('iid')}" for issue in overview.closes if issue.number("iid"))),
        ),
        entity.url("web_url"),
    ]
    texts = [(entity, "title"), (entity, "description"), *((comment.note, "body") for comment in shown.rows)]
    return (
        "\n".join(head)
        + f"\n\n{description(entity, authors)}\n\n{_files(overview, changes)}{comments(shown, COMMENT_BYTES, authors)}"
        + stored_otherwise(texts, authors)
    )


def _changed(entity: Entity, changes: str) -> str:
    """Return the number of changed files, which GitLab does not know while it prepares a new merge request."""
    if not changes and entity.text("detailed_merge_status") == "preparing":
        return "diff not ready yet"
    return f"{changes or 0} file{'' if changes == '1' else 's'} changed"


def _reviewers(entity: Entity, overview: Overview) -> list[str]:
    """Return the reviewers, each with the state of the review, such as "requested changes"."""
    states = {reviewer.number("user", "id"): one_line(reviewer.text("state"), 40) for reviewer in overview.reviewers}
    remarks = {
        user_id: f" ({state.replace('_', ' ')})"
        for user_id, state in states.items()
        if state not in HIDDEN_REVIEW_STATES
    }
    return [
        mention(user.text("username")) + remarks.get(user.number("id"), "") for user in entity.entities("reviewers")
    ]


def _approvals(overview: Overview) -> list[Entity]:
    return overview.approvals.entities("approved_by")


def _files(overview: Overview, changes: str) -> str:
    """Render the changed files, as many as fit; "" where they could not be read."""
    rows = fitting(list(map(file_row, overview.files)), FILES_BYTES)
    if not rows:
        return ""
    rest = (
        f" (the first {len(rows)}{naming('; {} with names_only lists all', 'get_merge_request_diff')})"
        if changes and changes != str(len(rows))
        else ""
    )
    return "\n".join([f"## Changed files{rest}", *rows]) + "\n\n"


def branches(entity: Entity) -> str:
    """Return `source -> target`."""
    return f"{one_line(entity.text('source_branch'), 255)} -> {one_line(entity.text('target_branch'), 255)}"


def merge_status(entity: Entity) -> str:
    """Return GitLab's detailed_merge_status in words, such as "mergeable" or "draft status"."""
    if entity.flag("has_conflicts"):
        return "conflict with the target branch"
    return one_line(entity.text("detailed_merge_status").replace("_", " "), 60) or "unknown"


def merge_request_opened(opened: Opened, existing: str) -> str:
    """Render the answer of a write that opens a merge request; `existing` says so of one that was open before."""
    if opened.is_new:
        return _written("Opened", opened) + not_set(opened.not_taken, "Developer")
    return _written(existing, opened) + differs(opened.not_taken, "update_merge_request")


def merge_request_updated(updated: Opened) -> str:
    """Render the answer of update_merge_request, with the fields that GitLab ignored and those that were cleared."""
    return _written("Updated", updated) + was_cleared(updated.cleared) + not_set(updated.not_taken, "Developer")


def _written(done: str, opened: Opened) -> str:
    entity = opened.merge_request.result
    draft = "draft " if entity.flag("draft") else ""
    remarks = "".join(f"\n{one_line(remark, 1000)}" for remark in opened.remarks)
    answer = f"{done} {draft}!{entity.number('iid')} ({branches(entity)}): {entity.url('web_url')}"
    return f"{answer}{confirmed(opened.merge_request)}{remarks}"


def _state(entity: Entity) -> str:
    return state(entity.text("state")) + (", draft" if entity.flag("draft") else "")


def _pipeline(entity: Entity) -> str:
    pipeline = entity.entity("head_pipeline")
    if not (status := one_line(pipeline.text("status"), 30)):
        return ""
    older = ", of an older commit" if ahead(pipeline, entity.sha("sha")) else ""
    return f"pipeline: {status} (id {pipeline.number('id')}{older})"
