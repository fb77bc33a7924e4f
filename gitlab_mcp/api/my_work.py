"""A person's own work across projects: reviews, merge requests, issues and failed pipelines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab, Page, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.checkout import other_origin
from gitlab_mcp.errors import Failure, GitLabRefusal, naming
from gitlab_mcp.safety.sanitize import one_line

ITEMS_PER_LIST = 20
MAX_PROJECTS = 12  # whose pipelines are read
SUGGESTED_PROJECTS = 5


@dataclass(frozen=True)
class Work:
    """A user's open work: merge requests to review, their own merge requests, their issues, their failed pipelines.

    `looked_at` are the paths of the projects whose pipelines were read.
    """

    username: str
    reviews: Page
    merge_requests: Page
    issues: Page
    pipelines: Sequence[Entity]
    looked_at: Sequence[str]


def my_work(gitlab: GitLab) -> Work:
    """The open work of the credential's user, latest first."""
    query = {"state": "opened", "order_by": "updated_at"}
    merge_requests, issues = "/merge_requests", "/issues"
    own = gitlab.start(gitlab.page, merge_requests, 1, ITEMS_PER_LIST, scope="created_by_me", **query)
    assigned = gitlab.start(gitlab.page, issues, 1, ITEMS_PER_LIST, scope="assigned_to_me", **query)
    recent = gitlab.start(projects, gitlab, "", 1, MAX_PROJECTS, mine=True)
    me = gitlab.user.text("username")
    reviews = gitlab.start(gitlab.page, merge_requests, 1, ITEMS_PER_LIST, scope="all", reviewer_username=me, **query)
    paths = _projects(gitlab, own.result().rows, recent.result().rows)
    results = gitlab.together(partial(_failed_pipelines, gitlab, number, me) for number in paths)
    looked_at = {path: failed for path, failed in zip(paths.values(), results, strict=True) if failed is not None}
    pipelines = [pipeline for failed in looked_at.values() for pipeline in failed]
    return Work(me, reviews.result(), own.result(), assigned.result(), pipelines, list(looked_at))


def _projects(gitlab: GitLab, merge_requests: Iterable[Entity], recent: Iterable[Entity]) -> Mapping[str, str]:
    """The projects whose pipelines are read, as paths by id.

    They are the run's own project, those of open merge requests, and those with the latest activity, in this order.
    """
    paths = {row.text("id"): row.text("path_with_namespace") for row in recent}
    sources = [row.text("source_project_id") for row in merge_requests]
    ids = dict.fromkeys(filter(None, [_own_project(gitlab, paths), *sources, *paths]))
    return {number: paths.get(number) or f"project {number}" for number in list(ids)[:MAX_PROJECTS]}


def _own_project(gitlab: GitLab, paths: Mapping[str, str]) -> str:
    """The id of the run's own project; "" where it has none, or this user may not read it."""
    name = gitlab.settings.project
    if not name or name.isdecimal():
        return name
    if known := [number for number, path in paths.items() if path.lower() == name.lower()]:
        return known[0]
    try:
        return gitlab.get(f"/projects/{segment(name)}").text("id")
    except GitLabRefusal:
        return ""


def _failed_pipelines(gitlab: GitLab, project: str, username: str) -> list[Entity] | None:
    """The user's newest pipeline of each ref (a branch or merge request), where it failed.

    None where GitLab refuses: the project has no CI/CD, or this user may not read its pipelines.
    """
    try:
        newest_first = gitlab.page(f"/projects/{segment(project)}/pipelines", 1, 50, username=username).rows
    except GitLabRefusal:
        return None
    by_ref: dict[str, Entity] = {}
    for pipeline in newest_first:
        by_ref.setdefault(pipeline.text("ref"), pipeline)
    return [pipeline for pipeline in by_ref.values() if pipeline.text("status") == "failed"]


def no_project_message(gitlab: GitLab) -> str:
    """The error text for a call without a project in a run that has none; locally, it names the latest projects."""
    text = "This run has no project of its own: give project, such as"
    try:
        recent = projects(gitlab, "", 1, SUGGESTED_PROJECTS, mine=True).rows
    except Failure:  # in a CI job, or when GitLab does not answer, no project is named
        recent = []
    names = [one_line(project.text("path_with_namespace"), 100) for project in recent]
    settings = gitlab.settings
    origin = other_origin(settings.other_checkout, settings.url)
    if not names:
        return f'{text} "group/app". {origin}'.rstrip()
    others = naming(" {} finds others.", "list_projects")
    return f'{text} "{names[0]}". Yours, the latest first: {", ".join(names)}.{others} {origin}'.rstrip()


def projects(gitlab: GitLab, search: str, page: int, per_page: int, *, mine: bool) -> Page:
    """A page of projects whose path or name matches `search` ("" for all), latest activity first.

    `mine` restricts it to projects of which the user is a member.
    """
    query = {"search": search, "search_namespaces": "true" if search else None, "simple": "true"}
    query |= {"membership": "true" if mine else None, "archived": "false"}
    return gitlab.page("/projects", page, per_page, order_by="last_activity_at", **query)
