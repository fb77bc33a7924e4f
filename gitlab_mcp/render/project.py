"""Render a project, its labels, milestones, members, releases and wiki."""

from collections.abc import Mapping

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.identity import ROLES
from gitlab_mcp.render.markdown import count, cut, facts, labelled, quote, share
from gitlab_mcp.render.pagination import following, page_of, quoted_pieces
from gitlab_mcp.render.user_text import mention, words
from gitlab_mcp.safety.sanitize import LONGEST_TEXT, markdown_line, one_line
from gitlab_mcp.safety.write_back import not_as_stored

RELEASE_NOTES_BYTES = 8_000
NOTES_BYTES = 30_000


def project(entity: Entity) -> str:
    """Render a whole project."""
    levels = [entity.number("permissions", kind, "access_level") for kind in ("project_access", "group_access")]
    description = cut(quote(entity.text("description")), RELEASE_NOTES_BYTES)
    lines = [
        f"# {one_line(entity.text('path_with_namespace'), 255)} ({one_line(entity.text('visibility'), 20)})",
        facts(
            f"id {entity.number('id')}",
            f"default branch: {one_line(entity.text('default_branch'), 255)}" if entity.text("default_branch") else "",
            "archived: read-only" if entity.flag("archived") else "",
            "empty repository" if entity.flag("empty_repo") else "",
            f"your role: {ROLES.get(max(levels), 'none')}",
            f"open issues: {entity.number('open_issues_count')}",
            labelled("topics", entity.texts("topics")),
        ),
        facts(
            f"merge method: {one_line(entity.text('merge_method').replace('_', ' '), 30) or 'unknown'}",
            f"squash: {one_line(entity.text('squash_option').replace('_', ' '), 30) or 'unknown'}",
            "merges only after the pipeline succeeded" if entity.flag("only_allow_merge_if_pipeline_succeeds") else "",
            "merges only with all threads resolved"
            if entity.flag("only_allow_merge_if_all_discussions_are_resolved")
            else "",
            "CI jobs may push" if entity.flag("ci_push_repository_for_job_token_allowed") else "",
        ),
        entity.url("web_url"),
    ]
    if entity.text("description").strip():
        lines += ["", description]
    if remark := not_as_stored([entity.text("description")], advice=""):
        lines += ["", remark]
    return "\n".join(lines)


def label_row(label: Entity) -> str:
    """Render a label in a list."""
    return facts(one_line(label.text("name"), 255), markdown_line(label.text("description"), 120))


def milestone_row(milestone: Entity) -> str:
    """Render a milestone in a list."""
    return facts(
        f"{one_line(milestone.text('title'), 255)} ({one_line(milestone.text('state'), 20)})",
        f"due: {milestone.day('due_date')}" if milestone.day("due_date") else "",
        "expired" if milestone.flag("expired") else "",
        markdown_line(milestone.text("description"), 120),
    )


def member_row(member: Entity) -> str:
    """Render a member in a list."""
    state = one_line(member.text("state"), 20)
    return facts(
        mention(member.text("username")),
        one_line(member.text("name"), 80),
        ROLES.get(member.number("access_level"), "unknown role"),
        f"expires: {member.day('expires_at')}" if member.day("expires_at") else "",
        state if state != "active" else "",
    )


def releases(found: Page, authors: Authors, arguments: Mapping[str, object]) -> str:
    """Render a page of releases with their notes, which are cut to NOTES_BYTES in all."""
    if not found.rows:
        return "# Releases: none" if found.number == 1 else f"# Releases: none on page {found.number}"
    notes = share([words(row, "description", authors) for row in found.rows], NOTES_BYTES)
    parts = [f"{_release(row)}\n{text}" for row, text in zip(found.rows, notes, strict=True)]
    title = f"# Releases: {count(len(found.rows), 'release')}"
    shown = [row for row in found.rows if not authors.withholds(row.entity("author"))]
    remark = not_as_stored(
        (row.text("description") for row in shown), plain_texts=(row.text("name") for row in found.rows), advice=""
    )
    answer = "\n\n".join([title, *parts, *([remark] if remark else [])])
    return answer + following("list_releases", arguments, found.next_number)


def _release(row: Entity) -> str:
    tag, name = one_line(row.text("tag_name"), 100), one_line(row.text("name"), 200)
    return facts(
        f"## {tag}",
        name if name != tag else "",
        f"by {mention(row.text('author', 'username'))} {row.day('released_at')}",
        "upcoming" if row.flag("upcoming_release") else "",
    )


def wiki_row(page: Entity) -> str:
    """Render a wiki page in a list."""
    slug, title = one_line(page.text("slug"), 300), one_line(page.text("title"), 200)
    return facts(slug, title if title != slug else "")


def wiki_page(page: Entity, number: int, arguments: Mapping[str, object]) -> str:
    """Render page `number` of a wiki page.

    The text is never withheld: only people with role Developer or more can edit the wiki.
    """
    title = f"# Wiki: {one_line(page.text('title'), 200)} ({one_line(page.text('format'), 20)})"
    content = page.text("content")
    pieces = quoted_pieces(quote(content))
    about = [not_as_stored([content], plain_texts=[page.text("title")], advice="")]
    if len(content) > LONGEST_TEXT:
        about.append(f"Only its first {LONGEST_TEXT:,} characters are shown: read the rest on GitLab.")
    return page_of(title, "\n".join(filter(None, about)), pieces, number, "get_wiki_page", arguments)
