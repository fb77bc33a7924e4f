"""Checks of branch protection: the default branch, and the branch of this run."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import BRANCH_NAME
from gitlab_mcp.config.job_context import read_job
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, in_quotes, passed, warned

PROTECT = "Settings > Repository > Protected branches > Add protected branch"


def default(context: DoctorContext) -> CheckResult | None:
    if context.credential is None:
        return None
    name = _default_branch(context)
    branch = _branch(context, name)
    if not branch:
        raise Skipped(
            f"GitLab lists no branch {in_quotes(name)}", "In an empty repository the first commit creates it."
        )
    if branch.flag("protected"):
        more = ", though this credential may push to it" if branch.flag("can_push") else ""
        return passed(f"The default branch {in_quotes(name)} is protected{more}")
    what = f"The default branch {in_quotes(name)} is not protected: anybody who may push can bypass merge requests"
    return warned(what, f"A maintainer can protect it: {PROTECT}.")


def own(context: DoctorContext) -> CheckResult | None:
    """The branch of this run: for a merge request its source branch, to which changes are committed."""
    job = read_job(context.environ)
    if context.credential is None or not job.branch or job.foreign or context.require_settings().read_only:
        return None
    if job.branch == _default_branch(context):
        return None
    branch = _branch(context, job.branch)
    if not branch or not branch.flag("protected"):
        return None
    if branch.flag("can_push"):
        return passed(
            f"The branch of this run {in_quotes(job.branch)} is protected, and this credential may push to it"
        )
    what = f"The branch of this run {in_quotes(job.branch)} is protected, and this credential may not push to it"
    return warned(what, "Allow it: Settings > Repository > Protected branches > Allowed to push and merge.")


def _default_branch(context: DoctorContext) -> str:
    name = context.variable("CI_DEFAULT_BRANCH") if context.in_ci else ""
    if not name:
        name = context.gitlab().get(context.project_path()).text("default_branch")
    if not BRANCH_NAME.fullmatch(name):
        raise Skipped("GitLab does not show which branch is the default", "Look in Settings > Repository.")
    return name


def _branch(context: DoctorContext, name: str) -> Entity:
    # A job token may read only the list of branches.
    page = context.gitlab().page(f"{context.project_path()}/repository/branches", search=f"^{name}$")
    return next((row for row in page.rows if row.text("name") == name), Entity(None))


CHECKS = (
    Check("default-branch", "whether the default branch is protected", default),
    Check("branch", "whether the branch of this run can be pushed to", own),
)
