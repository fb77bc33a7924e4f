"""The access token: is it good, what may it do, until when, and which role has its user in the project?"""

from datetime import UTC, date, datetime

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.identity import ROLES, WRITING_SCOPES
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.configuration import HOW_TO_GET_ONE
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, named, passed, quoted, skipped, warned
from gitlab_mcp.errors import GitLabRefusal, NotFound

EXPIRY_DAYS = 14
WRITER = 30  # Developer


def good(around: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(around)):
        return None
    variable = gitlab.settings.credential.variable
    try:
        gitlab.get("/personal_access_tokens/self")
    except GitLabRefusal as refused:
        told = refused.reason.lower()
        if refused.status not in (401, 403):
            raise
        if "expired" in told or "revoked" in told:
            return failed(f"The token in {variable} is {'expired' if 'expired' in told else 'revoked'}", HOW_TO_GET_ONE)
        # An OAuth token, or one with permissions listed one by one, may not be allowed that question.
        try:
            gitlab.get("/user")
        except GitLabRefusal as other:
            if other.status == 401:
                return failed(f"GitLab does not know the token in {variable}{quoted(other.reason)}", HOW_TO_GET_ONE)
            raise
    return passed(f"GitLab knows the token in {variable}{_whose(gitlab)}")


def scopes(around: DoctorContext) -> CheckResult | None:
    gitlab = _with_access_token(around)
    if not gitlab or gitlab.settings.credential.kind != "access token":
        return None
    found = set(_token(gitlab).texts("scopes"))
    shown = ", ".join(sorted(scope for scope in found if scope.isascii() and scope.replace("_", "").isalnum()))
    if "granular" in found:
        return skipped(
            "which permissions the token has: they are listed one by one, and GitLab does not tell them here",
            "Look in GitLab: it needs to read and write issues, merge requests and the repository.",
        )
    if not found:
        raise Skipped("GitLab does not tell", "Look in GitLab: scope api is needed.")
    if found & WRITING_SCOPES:
        return passed(f"The token has scope {shown}")
    if "read_api" not in found:
        return failed(
            f"The token has scope {shown}, with which it can neither read nor write over the API", HOW_TO_GET_ONE
        )
    if gitlab.settings.read_only:
        return passed(f"The token has scope {shown}, which is enough to read")
    if around.pushes():
        return passed(f"The token has scope {shown}: it reads, and CI_JOB_TOKEN pushes; comments need scope api")
    return failed(f"The token has scope {shown}: it reads, and cannot write", HOW_TO_GET_ONE)


def expiry(around: DoctorContext) -> CheckResult | None:
    gitlab = _with_access_token(around)
    if not gitlab or gitlab.settings.credential.kind != "access token":
        return None
    ends = _token(gitlab).day("expires_at")
    if not ends:
        return passed("The token has no day on which it expires")
    left = (date.fromisoformat(ends) - datetime.now(UTC).date()).days
    if left <= 0:
        return failed(f"The token expired on {ends}", HOW_TO_GET_ONE)
    if left <= EXPIRY_DAYS:
        days = "1 day" if left == 1 else f"{left} days"
        return warned(f"The token expires in {days}, on {ends}", f"Replace it before that day. {HOW_TO_GET_ONE}")
    return passed(f"The token is good until {ends}")


def project(around: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(around)):
        return None
    name = gitlab.settings.project
    try:
        found = gitlab.get(around.project_path())
    except NotFound:
        what = f"GitLab shows this token no project {named(name)}"
        return failed(what, "Correct GITLAB_PROJECT or --project, or add the token's user in Manage > Members.")
    if found.flag("archived") and not gitlab.settings.read_only:
        what = f"The project {named(name)} is archived, and takes no writes"
        return failed(what, "An owner unarchives it: Settings > General > Advanced > Unarchive project.")
    return passed(f"The project {named(name)} can be read")


def role(around: DoctorContext) -> CheckResult | None:
    if not (gitlab := _with_access_token(around)):
        return None
    has = gitlab.identity.role(around.project_path())
    if not has:
        raise Skipped("GitLab does not tell", "Look in the project: Manage > Members.")
    level = next((level for level, name in ROLES.items() if name == has), 0)
    who = f"The user of the token has {f'role {has}' if level else 'no role'} in the project"
    if level >= WRITER:
        return passed(who)
    remedy = "Give it role Developer: Manage > Members, or make a project access token with that role."
    if gitlab.settings.read_only and level:
        return passed(f"{who}, and this run only reads")
    if not level and gitlab.identity.user.flag("is_admin"):
        return warned(f"{who}, and is an administrator", f"A token with less power does as well. {remedy}")
    return failed(f"{who}: branches, commits and merge requests need Developer", remedy)


def _with_access_token(around: DoctorContext) -> GitLab | None:
    """GitLab with the access token; None where this run has none."""
    if around.credential is None or around.credential.kind == "job token":
        return None
    return around.gitlab()


def _token(gitlab: GitLab) -> Entity:
    found = gitlab.identity.token
    if not found or found.text("refused"):
        raise Skipped("GitLab does not tell this token about itself", "Look in GitLab, where the token was made.")
    return found


def _whose(gitlab: GitLab) -> str:
    name = gitlab.identity.user.text("username")
    return f", of user {named(name)}" if name else ""


CHECKS = (
    Check("token", "whether the access token is good", good),
    Check("scopes", "which scopes the access token has", scopes),
    Check("expiry", "when the access token expires", expiry),
    Check("project", "whether the project can be read", project),
    Check("role", "which role the token's user has in the project", role),
)
