"""What a person at a desk has before them, across projects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab, Page, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import Failure, GitLabRefusal
from gitlab_mcp.safety.sanitize import one_line

ITEMS_PER_LIST = 20  # of each kind
PROJECTS = 12  # whose pipelines are looked at, at most
SUGGESTED_PROJECTS = 5


@dataclass(frozen=True)
class Work:
    """What awaits a user: merge requests to review, merge requests and issues of their own, failed pipelines.

    `looked_at` is the projects whose pipelines were looked at.
    """

    username: str
    reviews: Page
    merge_requests: Page
    issues: Page
    pipelines: Sequence[Entity]
    looked_at: Sequence[str]


def my_work(gitlab: GitLab) -> Work:
    """The open work of the credential's user, the latest first."""
    query = {"state": "opened", "order_by": "updated_at"}
    merge_requests, issues = "/merge_requests", "/issues"
    own = gitlab.start(gitlab.page, merge_requests, 1, ITEMS_PER_LIST, scope="created_by_me", **query)
    assigned = gitlab.start(gitlab.page, issues, 1, ITEMS_PER_LIST, scope="assigned_to_me", **query)
    recent = gitlab.start(projects, gitlab, "", 1, PROJECTS, mine=True)
    me = gitlab.user.text("username")
    reviews = gitlab.start(gitlab.page, merge_requests, 1, ITEMS_PER_LIST, scope="all", reviewer_username=me, **query)
    paths = _projects(gitlab, own.result().rows, recent.result().rows)
    failed = gitlab.together(partial(_failed, gitlab, number, me) for number in paths)
    asked = zip(paths.values(), failed, strict=True)
    looked_at = {path: found for path, found in asked if found is not None}
    pipelines = [pipeline for found in looked_at.values() for pipeline in found]
    return Work(me, reviews.result(), own.result(), assigned.result(), pipelines, list(looked_at))


def _projects(gitlab: GitLab, merge_requests: Iterable[Entity], recent: Iterable[Entity]) -> Mapping[str, str]:
    """The paths, by their ids, of the projects whose pipelines are looked at: the run's own, those of open merge
    requests, those with the latest activity.
    """
    paths = {row.text("id"): row.text("path_with_namespace") for row in recent}
    sources = [row.text("source_project_id") for row in merge_requests]
    ids = dict.fromkeys(filter(None, [_own_project(gitlab, paths), *sources, *paths]))
    return {number: paths.get(number) or f"project {number}" for number in list(ids)[:PROJECTS]}


def _own_project(gitlab: GitLab, paths: Mapping[str, str]) -> str:
    """The id of the run's own project; "" where there is none, or not for this user."""
    name = gitlab.settings.project
    if not name or name.isdecimal():
        return name
    if known := [number for number, path in paths.items() if path.lower() == name.lower()]:
        return known[0]
    try:
        return gitlab.get(f"/projects/{segment(name)}").text("id")
    except GitLabRefusal:
        return ""


def _failed(gitlab: GitLab, project: str, username: str) -> list[Entity] | None:
    """The pipelines of a user that failed and that no newer one of the same branch or merge request made good.

    None where there are no pipelines, or not for this user.
    """
    try:
        newest_first = gitlab.page(f"/projects/{segment(project)}/pipelines", 1, 50, username=username).rows
    except GitLabRefusal:
        return None
    by_ref: dict[str, Entity] = {}
    for pipeline in newest_first:
        by_ref.setdefault(pipeline.text("ref"), pipeline)
    return [pipeline for pipeline in by_ref.values() if pipeline.text("status") == "failed"]


def no_project(gitlab: GitLab) -> str:
    """What to say where a call names no project and the run has none: at a desk, which ones there are."""
    said = "This run has no project of its own: give project, such as"
    try:
        recent = projects(gitlab, "", 1, SUGGESTED_PROJECTS, mine=True).rows
    except Failure:  # in a job, or GitLab does not answer: then nothing is named
        recent = []
    names = [one_line(project.text("path_with_namespace"), 100) for project in recent]
    if not names:
        return f'{said} "group/app".'
    return f'{said} "{names[0]}". Yours, the latest first: {", ".join(names)}. list_projects finds others.'


def projects(gitlab: GitLab, search: str, page: int, per_page: int, *, mine: bool) -> Page:
    """A page of projects, those with the latest activity first."""
    query = {"search": search, "search_namespaces": "true" if search else None, "simple": "true"}
    query |= {"membership": "true" if mine else None, "archived": "false"}
    return gitlab.page("/projects", page, per_page, order_by="last_activity_at", **query)
