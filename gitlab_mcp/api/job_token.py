"""The requests of the REST API on which GitLab accepts a job token: a list of reads. It ignores the token elsewhere.

https://docs.gitlab.com/ci/jobs/fine_grained_permissions/ and the routes with `job_token_allowed` in GitLab's lib/api.
A route that is not listed answers a job token like an anonymous visitor: with 401, 404, or what a public project shows
to everybody. Such a request is therefore not sent, so that a partial list is never taken for the full one.
"""

import re

from gitlab_mcp.config.settings import READS
from gitlab_mcp.errors import JobTokenNotAccepted

READABLE = (
    "/job",
    "/projects/:id/issues",
    "/projects/:id/issues/:iid",
    "/projects/:id/merge_requests",
    "/projects/:id/merge_requests/:iid",
    "/projects/:id/merge_requests/:iid/notes",
    "/projects/:id/merge_requests/:iid/notes/:note_id",
    "/projects/:id/repository/branches",
    "/projects/:id/repository/commits/:sha",
    "/projects/:id/repository/commits/:sha/merge_requests",
    "/projects/:id/repository/files/:path/raw",
    "/projects/:id/repository/tags",
    "/projects/:id/repository/tags/:name",
    "/projects/:id/pipelines",
    "/projects/:id/pipelines/:pipeline_id",
    "/projects/:id/pipelines/:pipeline_id/jobs",
    "/projects/:id/jobs",
    "/projects/:id/jobs/:job_id/artifacts/*artifact_path",
    "/projects/:id/jobs/:job_id/artifacts/tree",
    "/projects/:id/releases",
)
_PATHS = re.compile("|".join(re.sub(r"\*\w+", ".+", re.sub(r":\w+", "[^/]+", path)) for path in READABLE))

_NOUNS = (
    (r"/issues/[^/]+/(notes|discussions)", "comments on issues"),
    (r"/merge_requests/[^/]+/notes", "comments on merge requests"),
    (r"/discussions", "discussions"),
    (r"/draft_notes|/approv", "reviews"),
    (r"/issues", "issues"),
    (r"/merge_requests", "merge requests"),
    (r"/members", "the members of a project"),
    (r"/repository/", "this part of the repository over REST"),
    (r"/trace", "job logs"),
    (r"/uploads", "attached files"),
    (r"/projects/[^/]+", "the project itself"),
)

# GitLab 18.5 is the first whose documentation lists the reads of issues, merge requests and the repository.
FLOOR = "18.5"


def accepts(method: str, path: str) -> bool:
    """Whether GitLab accepts a job token on this request; `path` is below /api/v4, URL-encoded."""
    return method in READS and _PATHS.fullmatch(path.partition("?")[0]) is not None


def not_accepted(method: str, path: str) -> JobTokenNotAccepted:
    """The exception for a request on which GitLab accepts no job token."""
    noun = next((noun for pattern, noun in _NOUNS if re.search(pattern, path)), "this")
    verb = "read" if method in READS else "write"
    scope = "read_api" if method in READS else "api"
    return JobTokenNotAccepted(
        f"GitLab does not let CI_JOB_TOKEN {verb} {noun}: GITLAB_ACCESS_TOKEN (scope {scope}) is needed."
    )
