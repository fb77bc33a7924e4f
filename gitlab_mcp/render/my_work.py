"""Render the projects and the open work of a user."""

from collections.abc import Mapping, Sequence

from gitlab_mcp.api.author_roles import Authors
from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.my_work import Work
from gitlab_mcp.api.site import Site
from gitlab_mcp.render.markdown import facts, labelled
from gitlab_mcp.render.merge_requests import branches
from gitlab_mcp.render.user_text import mention, title
from gitlab_mcp.safety.sanitize import markdown_line, one_line


def project_row(project: Entity) -> str:
    """Render a project in a list."""
    return facts(
        one_line(project.text("path_with_namespace"), 255),
        one_line(project.text("visibility"), 20),
        project.day("last_activity_at"),
        markdown_line(project.text("description"), 100),
    )


def work(found: Work, authors: Mapping[int, Authors], site: Site) -> str:
    """Render the open work of a user, kind by kind; `site` knows the projects of URLs."""
    reviews = [_merge_request(row, _authors_of(row, authors)) for row in found.reviews.rows]
    own = [_merge_request(row, _authors_of(row, authors)) for row in found.merge_requests.rows]
    issues = [_issue(row, _authors_of(row, authors)) for row in found.issues.rows]
    pipelines = [_pipeline(row, site) for row in found.pipelines]
    parts = [
        _part("Merge requests with you as reviewer", reviews, found.reviews),
        _part("Your merge requests", own, found.merge_requests),
        _part("Issues assigned to you", issues, found.issues),
        _part(f"Your failed pipelines in {_searched_projects(found.looked_at)}", pipelines),
    ]
    return "\n\n".join([f"# Open work of {mention(found.username)}", *parts])


def _part(heading: str, rows: list[str], page: Page | None = None) -> str:
    if not rows:
        return f"## {heading}: none"
    more = page is not None and page.next_number
    total = f" of {page.total:,}, the latest" if page and page.total is not None and more else ""
    return "\n".join([f"## {heading}: {len(rows)}{total or (', the latest' if more else '')}", *rows])


def _searched_projects(projects: Sequence[str]) -> str:
    """Name the projects whose pipelines were read; other projects may have failed pipelines too."""
    return ", ".join(one_line(project, 100) for project in projects) or "no project"


def _authors_of(row: Entity, authors: Mapping[int, Authors]) -> Authors:
    return authors.get(row.number("project_id"), Authors())


def _merge_request(row: Entity, authors: Authors) -> str:
    return facts(
        f"{_reference(row, '!')} {title(row, authors, 150)}{' (draft)' if row.flag('draft') else ''}",
        mention(row.text("author", "username")),
        branches(row),
        row.day("updated_at"),
    )


def _issue(row: Entity, authors: Authors) -> str:
    return facts(
        f"{_reference(row, '#')} {title(row, authors, 150)}",
        labelled("labels", row.texts("labels")),
        f"due: {row.day('due_date')}" if row.day("due_date") else "",
        row.day("updated_at"),
    )


def _reference(row: Entity, sign: str) -> str:
    """Return the project and iid as in `group/app#7`."""
    return one_line(row.text("references", "full"), 255) or f"{sign}{row.number('iid')}"


def _pipeline(row: Entity, site: Site) -> str:
    project = site.project_of(row.url("web_url"))
    return facts(
        f"pipeline {row.number('id')} of {one_line(row.text('ref'), 255)}",
        one_line(project or row.text("project_id"), 255),
        row.day("created_at"),
    )
