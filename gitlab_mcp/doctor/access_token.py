"""Checks of the access token: its validity, scopes and expiry, the project, and the role of its user in it."""

from datetime import UTC, date, datetime

from gitlab_mcp.api.author_roles import DEVELOPER
from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.identity import ROLES, WRITING_SCOPES
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, in_brackets, in_quotes, passed, skipped, warned
from gitlab_mcp.errors import GitLabRefusal, NotFound

EXPIRY_DAYS = 14


def valid(context: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(context)):
        return None
    variable = gitlab.settings.credential.variable
    try:
        gitlab.get("/personal_access_tokens/self")
    except GitLabRefusal as refused:
        reason = refused.reason.lower()
        if refused.status not in (401, 403):
            raise
        if "expired" in reason or "revoked" in reason:
            return failed(
                f"The token in {variable} is {'expired' if 'expired' in reason else 'revoked'}", context.new_token
            )
        # An OAuth token, or one with fine-grained permissions, may not be allowed this request.
        try:
            gitlab.get("/user")
        except GitLabRefusal as other:
            if other.status == 401:
                return failed(
                    f"GitLab does not know the token in {variable}{in_brackets(other.reason)}", context.new_token
                )
            raise
    return passed(f"GitLab accepts the token in {variable}{_owner(gitlab)}")


def scopes(context: DoctorContext) -> CheckResult | None:
    gitlab = _with_access_token(context)
    if not gitlab or gitlab.settings.credential.kind != "access token":
        return None
    names = set(_token(gitlab).texts("scopes"))
    shown = ", ".join(sorted(scope for scope in names if scope.isascii() and scope.replace("_", "").isalnum()))
    if "granular" in names:
        return skipped(
            "which permissions the token has: they are fine-grained, and GitLab's API does not list them",
            "Look in GitLab: it needs to read and write issues, merge requests and the repository.",
        )
    if not names:
        raise Skipped("GitLab does not list them", "Look in GitLab: scope api is needed.")
    if names & WRITING_SCOPES:
        return passed(f"The token has scope {shown}")
    if "read_api" not in names:
        return failed(
            f"The token has scope {shown}, which allows neither reading nor writing over the API",
            context.new_token,
        )
    if gitlab.settings.read_only:
        return passed(f"The token has scope {shown}, which is enough to read")
    if context.pushes():
        return passed(f"The token has scope {shown}: it can read, and CI_JOB_TOKEN pushes; comments need scope api")
    return failed(f"The token has scope {shown}: it can read, but not write", context.new_token)


def expiry(context: DoctorContext) -> CheckResult | None:
    gitlab = _with_access_token(context)
    if not gitlab or gitlab.settings.credential.kind != "access token":
        return None
    ends = _token(gitlab).day("expires_at")
    if not ends:
        return passed("The token has no expiry date")
    left = (date.fromisoformat(ends) - datetime.now(UTC).date()).days
    if left <= 0:
        return failed(f"The token expired on {ends}", context.new_token)
    if left <= EXPIRY_DAYS:
        days = "1 day" if left == 1 else f"{left} days"
        return warned(f"The token expires in {days}, on {ends}", f"Replace it before that day. {context.new_token}")
    return passed(f"The token is valid until {ends}")


def project(context: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(context)):
        return None
    name = gitlab.settings.project
    try:
        found = gitlab.get(context.project_path())
    except NotFound:
        what = f"This token cannot read the project {in_quotes(name)}, or it does not exist"
        return failed(what, "Correct GITLAB_PROJECT or --project, or add the token's user in Manage > Members.")
    if found.flag("archived") and not gitlab.settings.read_only:
        what = f"The project {in_quotes(name)} is archived, and accepts no writes"
        return failed(what, "An owner can unarchive it: Settings > General > Advanced > Unarchive project.")
    return passed(f"The project {in_quotes(name)} can be read")


def role(context: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(context)):
        return None
    path = context.project_path()
    try:
        gitlab.get(path)
    except NotFound:
        raise Skipped("the project cannot be read", "First fix the project.") from None
    role_name = gitlab.identity.role(path)
    if not role_name:
        raise Skipped("GitLab does not show it", "Look in the project: Manage > Members.")
    level = next((level for level, name in ROLES.items() if name == role_name), 0)
    what = f"The user of the token has {f'role {role_name}' if level else 'no role'} in the project"
    if level >= DEVELOPER:
        return passed(what)
    remedy = "Give it role Developer: Manage > Members, or create a project access token with that role."
    if gitlab.settings.read_only and level:
        return passed(f"{what}, and this run only reads")
    if not level and gitlab.identity.user.flag("is_admin"):
        return warned(f"{what}, and is an administrator", f"A token with fewer permissions is enough. {remedy}")
    return failed(f"{what}: branches, commits and merge requests need Developer", remedy)


def _with_access_token(context: DoctorContext) -> GitLab | None:
    """The client with the access token; None where this run has none."""
    if context.credential is None or context.credential.kind == "job token":
        return None
    return context.gitlab()


def _token(gitlab: GitLab) -> Entity:
    token = gitlab.identity.token
    if not token or token.text("refused"):
        raise Skipped("GitLab does not let this token read about itself", "Look in GitLab, where it was created.")
    return token


def _owner(gitlab: GitLab) -> str:
    name = gitlab.identity.user.text("username")
    return f", of user {in_quotes(name)}" if name else ""


CHECKS = (
    Check("token", "whether the access token is valid", valid),
    Check("scopes", "which scopes the access token has", scopes),
    Check("expiry", "when the access token expires", expiry),
    Check("project", "whether the project can be read", project),
    Check("role", "which role the token's user has in the project", role),
)
