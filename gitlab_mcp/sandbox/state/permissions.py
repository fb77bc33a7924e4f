"""Permissions: scopes, expiry and revocation of tokens, and what the roles in a project allow."""

from __future__ import annotations

import base64
import fnmatch

from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Job, Project, Token
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import DEVELOPER, GUEST, MAINTAINER, OWNER, PLANNER, User
from gitlab_mcp.sandbox.state.world import World

READ_SCOPES = ("api", "read_api")
WRITE_SCOPES = ("api",)
# The scope of a Duo flow's token. It allows what `api` allows, except quick actions.
AI_SCOPE = "ai_workflows"
NO_VARIABLES = "Insufficient permissions to set pipeline variables"
_OVERRIDING = {"developer": DEVELOPER, "maintainer": MAINTAINER, "owner": OWNER}


def require_active(world: World, token: Token) -> None:
    """Raise GitLab's 401 for an expired or revoked token."""
    if token.revoked:
        raise _invalid_token("Token was revoked. You have to re-authorize from the user.")
    if token.expires_at and token.expires_at <= world.now().date():
        raise _invalid_token("Token is expired. You can either do re-authorization or token refresh.")


def _invalid_token(description: str) -> ApiError:
    return ApiError(401, {"error": "invalid_token", "error_description": description})


def require_scope(token: Token, method: str, template: str) -> None:
    """Raise 403 insufficient_scope if the token's scopes do not cover the method and the route template."""
    if token.kind == "job" or AI_SCOPE in token.scopes:
        return
    allowed = READ_SCOPES if method in ("GET", "HEAD") else WRITE_SCOPES
    if template == "/personal_access_tokens/self":
        return  # GitLab docs: any personal access token may read its own record
    if template.startswith("/user") and method == "GET":
        allowed = (*allowed, "read_user")
    if template.endswith("/access_tokens/self/rotate"):
        allowed = (*allowed, "self_rotate")
    if "/repository/files/" in template and method in ("GET", "HEAD"):
        allowed = (*allowed, "read_repository")
    if not set(token.scopes) & set(allowed):
        body = {
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": " ".join(allowed),
        }
        raise ApiError(403, body)


def basic_login(authorization: str) -> tuple[str, str] | None:
    """The (name, password) of an `Authorization: Basic` header, ("", token) of a Bearer one; None for anything else."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        name, separator, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if separator else None


def role(user: User | None, project: Project) -> int:
    """The access level of a user in a project, 0 for none (GitLab docs, roles: 10 Guest ... 50 Owner)."""
    return project.members.get(user, 0) if user else 0


def may_see(user: User | None, project: Project) -> bool:
    """Whether the user may see the project; GitLab answers 404 to everybody else."""
    if project.visibility == "public":
        return True
    if project.visibility == "internal" and user is not None:
        return True
    return role(user, project) >= GUEST


def may_read_code(user: User | None, project: Project) -> bool:
    """Whether the user may read the repository, which in a private project takes a Planner or more."""
    return may_see(user, project) and (project.visibility != "private" or role(user, project) >= PLANNER)


def may_push(user: User | None, project: Project, branch: str) -> bool:
    """Whether the user may push to a branch: a Developer may, or whoever the branch's protection allows."""
    return role(user, project) >= max(DEVELOPER, protection(project, branch) or 0)


def may_set_variables(user: User | None, project: Project) -> bool:
    """Whether the user may start pipelines with variables.

    GitLab docs, CI/CD variables: a project setting says which role may, and for new projects that is nobody.
    """
    least = _OVERRIDING.get(str(project.settings.get("ci_pipeline_variables_minimum_override_role")))
    return least is not None and role(user, project) >= least


def job_may_push(world: World, job: Job, project: Project) -> bool:
    """Whether a project lets a CI job push with its token: a project setting that is off by default.

    GitLab docs, CI/CD job token: before 18.4 the setting has no effect where nobody enabled a feature flag. A push to
    another project is possible since 19.1, and needs the setting of both.
    """
    if not world.is_at_least(18, 4) or (project is not job.project and not world.is_at_least(19, 1)):
        return False
    return all(one.settings.get("ci_push_repository_for_job_token_allowed", False) for one in (job.project, project))


def job_project_refusal(job: Job, project: Project) -> str:
    """GitLab's message where a project does not accept a job's token, or "" where it does.

    It accepts those of its own jobs and of the projects on its allow list, or of all where it does not limit access
    (Ci::JobToken::Scope).
    """
    allowed = project is job.project or job.project.id in project.job_token_allowlist
    if allowed or not project.inbound_job_token_scope_enabled:
        return ""
    return f"Authentication by CI/CD job token not allowed from {job.project.path} to {project.path}."


def protection(project: Project, branch: str) -> int | None:
    """The lowest access level that may push to a protected branch, or None if the branch is not protected."""
    levels = [level for pattern, level in project.protected.items() if fnmatch.fnmatchcase(branch, pattern)]
    return min(levels) if levels else None


def may_delete_branch(user: User | None, project: Project, branch: str) -> bool:
    """Whether the user may delete a branch, which takes a Developer, or a Maintainer if the branch is protected."""
    return role(user, project) >= (MAINTAINER if protection(project, branch) else DEVELOPER)


def may_read_issue(user: User | None, issue: Issue) -> bool:
    """Whether the user may see an issue.

    GitLab docs, confidential issues: they are visible to Planners and above, to their author and to their assignees.
    """
    if not issue.confidential:
        return True
    return user is not None and (
        role(user, issue.project) >= PLANNER or user is issue.author or user in issue.assignees
    )


def may_read_internal(user: User | None, project: Project) -> bool:
    """Whether the user may read internal notes, which takes a Planner or more (GitLab docs, internal notes)."""
    return role(user, project) >= PLANNER


def may_read_note(user: User | None, noteable: Issuable, note: Note) -> bool:
    """Whether the user may read a note."""
    return not note.internal or may_read_internal(user, noteable.project)


def may_edit(user: User | None, noteable: Issuable) -> bool:
    """Whether the user may change an issue or merge request.

    Its author and its assignees may, and so may Planners (of issues) and Developers (of merge requests).
    """
    if user is None:
        return False
    least = PLANNER if isinstance(noteable, Issue) else DEVELOPER
    return role(user, noteable.project) >= least or user is noteable.author or user in noteable.assignees


def may_set_metadata(user: User | None, noteable: Issuable) -> bool:
    """Whether the user may set labels, assignees and milestone; GitLab silently ignores them from anybody else."""
    return role(user, noteable.project) >= (PLANNER if isinstance(noteable, Issue) else DEVELOPER)
