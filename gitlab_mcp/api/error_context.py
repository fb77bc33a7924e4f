"""The reason behind an HTTP error of GitLab's, where a further request can find it.

The project was moved or archived, the token lacks a scope, or the user lacks a role.
"""

from gitlab_mcp.api import job_token
from gitlab_mcp.api.identity import Identity, Reader
from gitlab_mcp.errors import Failure, GitLabRefusal, Moved
from gitlab_mcp.safety.sanitize import one_line


def explained(gitlab: Reader, identity: Identity, failure: GitLabRefusal, method: str, path: str) -> GitLabRefusal:
    """`failure` of the request `method` to `path`, with the state of the project, token or user that explains it.

    Without such an explanation it is returned as it is.
    """
    project = "/".join(path.split("/")[:3]) if path.startswith("/projects/") else ""
    if gitlab.settings.credential.kind == "job token":
        return _of_job_token(identity, failure, path)
    if method == "get":
        return failure
    if isinstance(failure, Moved) or failure.status == 403:
        failure = _of_project(gitlab, failure, project) if project else failure
    return _of_access_token(identity, failure, project) if failure.status == 403 else failure


def _of_project(gitlab: Reader, failure: GitLabRefusal, path: str) -> GitLabRefusal:
    """The failure with the new path of the project, or with the hint that it is archived."""
    try:
        project = gitlab.get(path)  # a GET follows GitLab's redirect of a moved project
    except Failure:
        return failure
    name = project.text("path_with_namespace")
    if isinstance(failure, Moved) and name:
        return Moved(f'{failure} Use project: "{name}".', status=failure.status, reason=failure.reason)
    if project.flag("archived"):
        text = f"{name} is archived and takes no writes, until an owner unarchives it (Settings > General > Advanced)."
        return GitLabRefusal(text, status=0, reason=failure.reason)
    return failure


def _of_access_token(identity: Identity, failure: GitLabRefusal, project: str) -> GitLabRefusal:
    """The failure with the scopes that the token has, or with the role of its user in the project."""
    more = ""
    if "privileges" in failure.reason or "scope" in failure.reason:
        more = f" It has {', '.join(one_line(scope, 40) for scope in identity.scopes)}." if identity.scopes else ""
    elif role := identity.role(project):
        more = (
            f" @{one_line(identity.user.text('username'), 60)} has {f'role {role}' if role != 'none' else 'none'} here."
        )
    failure.text += more
    return failure


def _of_job_token(identity: Identity, failure: GitLabRefusal, path: str) -> GitLabRefusal:
    """The failure with the hint that the job token has expired, or that GitLab ignored it.

    GitLab answers a token that it ignores like a request without a credential.
    """
    ignored = failure.status == 401 or (failure.status == 404 and "Project Not Found" in failure.reason)
    if not ignored or path == "/job":
        return failure
    if identity.job.number("id") and "/artifacts/" in path:
        # EE::API::Ci::JobArtifacts in GitLab's ee/lib: the license needs the feature of pipelines across projects.
        more = " The token is valid: GitLab lets job tokens read artifacts with Premium or Ultimate."
    elif identity.job.number("id"):
        more = f" The token is valid: this GitLab may not let job tokens read this ({job_token.FLOOR} and newer do)."
    else:
        more = " GitLab does not know this token: the job has ended, or it is another GitLab's."
    failure.text += more
    return failure
