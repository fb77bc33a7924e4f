"""The branches that this run works with: how GitLab protects them."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import BRANCH_NAME
from gitlab_mcp.config.job_context import read_job
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, named, passed, warned

PROTECT = "Settings > Repository > Protected branches > Add protected branch"


def default(around: DoctorContext) -> CheckResult | None:
    if around.credential is None:
        return None
    name = _default_branch(around)
    branch = _branch(around, name)
    if not branch:
        raise Skipped(f"GitLab shows no branch {named(name)}", "An empty repository gets it with its first commit.")
    if branch.flag("protected"):
        more = ", though this credential may push to it" if branch.flag("can_push") else ""
        return passed(f"The default branch {named(name)} is protected{more}")
    what = f"The default branch {named(name)} is not protected: whoever may push can change it without a merge request"
    return warned(what, f"A maintainer protects it: {PROTECT}.")


def own(around: DoctorContext) -> CheckResult | None:
    """The branch that the run is about: what is asked for in a merge request is to be committed to its source."""
    job = read_job(around.environ)
    if around.credential is None or not job.branch or job.foreign or around.usable().read_only:
        return None
    if job.branch == _default_branch(around):
        return None
    branch = _branch(around, job.branch)
    if not branch or not branch.flag("protected"):
        return None
    if branch.flag("can_push"):
        return passed(f"The branch of this run {named(job.branch)} is protected, and this credential may push to it")
    what = f"The branch of this run {named(job.branch)} is protected, and this credential may not push to it"
    return warned(what, "Let it: Settings > Repository > Protected branches > Allowed to push and merge.")


def _default_branch(around: DoctorContext) -> str:
    name = around.variable("CI_DEFAULT_BRANCH") if around.in_ci else ""
    if not name:
        name = around.gitlab().get(around.project_path()).text("default_branch")
    if not BRANCH_NAME.fullmatch(name):
        raise Skipped("GitLab does not tell which branch is the default", "Look in Settings > Repository.")
    return name


def _branch(around: DoctorContext, name: str) -> Entity:
    # A job token may ask for the list only.
    found = around.gitlab().page(f"{around.project_path()}/repository/branches", search=f"^{name}$")
    return next((row for row in found.rows if row.text("name") == name), Entity(None))


CHECKS = (
    Check("default-branch", "whether the default branch is protected", default),
    Check("branch", "whether the branch of this run can be pushed to", own),
)
