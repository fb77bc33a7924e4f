"""Checks of a project's set-up from outside its jobs: what runs will find there, and what only a job can tell."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gitlab_mcp.api import job_token
from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.connectivity import PUSH_VERSION, version_number
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, passed, warned
from gitlab_mcp.errors import GitLabRefusal, NotFound
from gitlab_mcp.repository.git_backend.errors import ALLOW_PUSH

ACCESS_TOKEN = "GITLAB_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
ONLY_A_JOB = "only a job can tell"
RUNNERS = "Settings > CI/CD > Runners"
MINIMUM_ROLE = "Settings > CI/CD > Variables > Minimum role to use pipeline variables"

R = TypeVar("R")


def for_maintainers(context: DoctorContext, request: Callable[[GitLab, str], R]) -> R:
    """The result of `request`, given the client and the API path of the project.

    Raises Skipped where GitLab answers that the user may not see this setting of the project.
    """
    gitlab = context.gitlab()
    try:
        return request(gitlab, context.project_path())
    except NotFound:
        raise Skipped("the project cannot be read", "First fix the project.") from None
    except GitLabRefusal as refused:
        if refused.status not in (401, 403):
            raise
        raise _for_maintainers_only() from None


def _for_maintainers_only() -> Skipped:
    remedy = "Run it with the token of a user who has role Maintainer in the project."
    return Skipped("only a Maintainer of the project can see it", remedy)


def variables(context: DoctorContext) -> dict[str, Entity]:
    """The CI/CD variables of the project by key. Raises Skipped as `for_maintainers` does."""
    listed = for_maintainers(context, lambda gitlab, path: gitlab.every(f"{path}/variables"))
    return {row.text("key"): row for row in listed}


def has_access_token(context: DoctorContext) -> bool:
    """Whether the project gives its jobs a GITLAB_ACCESS_TOKEN. Raises Skipped as `for_maintainers` does."""
    return ACCESS_TOKEN in variables(context)


def settings_of(context: DoctorContext) -> Entity:
    """The project with the settings that only a Maintainer sees. Raises Skipped where this user is none."""
    found = for_maintainers(context, lambda gitlab, path: gitlab.get(path))
    if "ci_push_repository_for_job_token_allowed" not in found.names():
        raise _for_maintainers_only()
    return found


def role(context: DoctorContext) -> CheckResult:
    name = for_maintainers(context, lambda gitlab, path: gitlab.identity.role(path))
    if not name:
        raise Skipped("GitLab does not show the user's role", "Look in the project: Manage > Members.")
    what = f"The user of the token has {'no role' if name == 'none' else f'role {name}'} in the project"
    if name in ("Maintainer", "Owner"):
        return passed(f"{what}, and sees its settings")
    return warned(f"{what}, and does not see its settings", "Run it with the token of a Maintainer.")


def version(context: DoctorContext) -> CheckResult:
    """Whether the version lets a job push with its token and read with it."""
    number, shown = version_number(context.gitlab().get("/version").text("version"))
    if number < version_number(PUSH_VERSION)[0]:
        what = f"GitLab is version {shown}: jobs can push with CI_JOB_TOKEN from {PUSH_VERSION} on"
        remedy = "Upgrade GitLab, or set GITLAB_ACCESS_TOKEN (scope api)."
        return warned(f"{what}, and use GITLAB_ACCESS_TOKEN here", remedy) if _tokens(context) else failed(what, remedy)
    if number < version_number(job_token.FLOOR)[0] and not _tokens(context):
        what = f"GitLab is version {shown}: CI_JOB_TOKEN reads issues and merge requests from {job_token.FLOOR} on"
        return warned(what, "Upgrade GitLab, or set GITLAB_ACCESS_TOKEN (scope api).")
    return passed(f"GitLab is version {shown}")


def _tokens(context: DoctorContext) -> bool:
    try:
        return has_access_token(context)
    except Skipped:
        return False


def runner(context: DoctorContext) -> CheckResult:
    listed = for_maintainers(context, lambda gitlab, path: gitlab.page(f"{path}/runners", status="online"))
    online = [row for row in listed.rows if not row.flag("paused")]
    if not online:
        return failed("No runner of the project is online: its jobs wait", f"Start or assign one: {RUNNERS}.")
    count = listed.total or len(online)
    return passed(f"{count} {'runner of the project is' if count == 1 else 'runners of the project are'} online")


def push(context: DoctorContext) -> CheckResult:
    if settings_of(context).flag("ci_push_repository_for_job_token_allowed"):
        return passed("The project lets its jobs push with CI_JOB_TOKEN")
    if has_access_token(context):
        return passed("The project does not let its jobs push with CI_JOB_TOKEN; they use GITLAB_ACCESS_TOKEN")
    return failed("The project does not let its jobs push with CI_JOB_TOKEN", ALLOW_PUSH)


def pipeline_variables(context: DoctorContext) -> CheckResult:
    least = settings_of(context).text("ci_pipeline_variables_minimum_override_role")
    if least == "developer":
        what = "Every Developer may start a pipeline with variables, which outrank those of the project"
        return warned(what, f"Raise {MINIMUM_ROLE}, unless pipelines need it: a run's inputs do not.")
    named = {"no_one_allowed": "Nobody", "maintainer": "A Maintainer", "owner": "An owner"}.get(least)
    if named is None:
        raise Skipped("GitLab does not show it", f"Look in {MINIMUM_ROLE}.")
    return passed(f"{named} may start a pipeline with variables")


def only_in_a_job(check: Check) -> Check:
    """The check as it is from outside a job: it cannot be done, and its result says so."""

    def examine(_: DoctorContext) -> CheckResult:
        raise Skipped(ONLY_A_JOB, "Run gitlab-mcp-server doctor in a job.")

    return replace(check, examine=examine)


CHECKS = (
    Check("role", "whether the token's user sees the project's settings", role),
    Check("version", "which version GitLab has", version),
    Check("push", "whether the project's jobs may push", push),
    Check("runner", "whether a runner of the project is online", runner),
    Check("pipeline-variables", "who may start a pipeline with variables", pipeline_variables),
)
