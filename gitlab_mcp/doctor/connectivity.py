"""Checks of the connection to GitLab: whether it can be reached, its version and its clock."""

import re
from email.utils import parsedate_to_datetime

from gitlab_mcp.api import job_token
from gitlab_mcp.config.checkout import origin
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext, NotReached
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, in_brackets, passed, warned

PUSH_VERSION = (
    "18.4"  # https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository
)

# In seconds. A JWT is refused when it was issued in the future or has expired; identity providers tolerate a minute or
# a few.
CLOCK_WARNING, CLOCK_FAILURE = 60, 300


def reachable(context: DoctorContext) -> CheckResult:
    settings = context.require_settings()
    try:
        response = context.response()
    except NotReached as error:
        return failed(error.problem, error.advice)
    kind = response.headers.get("content-type", "").split(";")[0]
    if response.status >= 500:
        return failed(f"{settings.url} answers {response.status}: overloaded or under maintenance", "Try again later.")
    if "json" not in kind or response.status not in (200, 401, 403):
        what = f"The response from {settings.url} is not from GitLab's API ({response.status}{in_brackets(kind)})"
        return failed(what, f"Look for a login page or a proxy in between. {context.network}")
    if origin(response.url) != origin(settings.url):
        what = f"{settings.url} redirects to another address, which git does not follow with a token"
        return warned(what, "Set GITLAB_URL to the address that people use.")
    return passed(f"GitLab answers at {settings.url}")


def version(context: DoctorContext) -> CheckResult:
    text = context.variable("CI_SERVER_VERSION") if context.in_ci else ""
    if not text:
        if context.credential and context.credential.kind == "job token":
            why = "a job token cannot read it, and CI_SERVER_VERSION is not set"
            raise Skipped(why, "Ask an administrator.")
        text = context.gitlab().get("/version").text("version")
    number, shown = version_number(text)
    upgrade = "Upgrade GitLab, or set GITLAB_ACCESS_TOKEN (scope api)."
    if not _uses_job_token(context):
        return passed(f"GitLab is version {shown}")
    if number < version_number(PUSH_VERSION)[0] and not context.require_settings().read_only:
        return failed(f"GitLab is version {shown}: jobs can push with CI_JOB_TOKEN from {PUSH_VERSION} on", upgrade)
    if number < version_number(job_token.FLOOR)[0]:
        what = f"GitLab is version {shown}: CI_JOB_TOKEN reads issues and merge requests from {job_token.FLOOR} on"
        return warned(what, upgrade)
    return passed(f"GitLab is version {shown}, which lets CI_JOB_TOKEN read and push")


def clock(context: DoctorContext) -> CheckResult:
    response = context.response()
    try:
        server_time = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except ValueError:
        raise Skipped("GitLab's response has no date", "Compare the clocks by hand: run date -u here.") from None
    offset = round(response.received_at - server_time)
    if abs(offset) <= CLOCK_WARNING:
        return passed("The clock agrees with GitLab's")
    what = f"The clock here is {abs(offset)} s {'ahead of' if offset > 0 else 'behind'} GitLab's"
    remedy = "Synchronize the runner's clock (NTP): job tokens that are JWTs and OIDC log-ins fail when clocks differ."
    return failed(what, remedy) if abs(offset) > CLOCK_FAILURE else warned(what, remedy)


def _uses_job_token(context: DoctorContext) -> bool:
    if context.credential is None:
        return False
    if context.credential.kind == "job token":
        return True
    try:
        return context.pushes()
    except Skipped:
        return False


def version_number(text: str) -> tuple[tuple[int, int], str]:
    """The major and minor number of a version, and the part of the text that may be shown. Raises Skipped."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(\.\d{1,4})?", text)
    if match is None:
        raise Skipped("its answer is not a version number", "Ask an administrator.")
    return (int(match[1]), int(match[2])), match[0]


CHECKS = (
    Check("reachable", "whether GitLab can be reached", reachable),
    Check("clock", "whether the clock agrees with GitLab's", clock),
    Check("version", "which version GitLab has", version),
)
