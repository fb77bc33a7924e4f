"""The way to GitLab: is it there, is it new enough, and do its clock and ours agree?"""

import re
from email.utils import parsedate_to_datetime

from gitlab_mcp.api import job_token
from gitlab_mcp.config.checkout import origin
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import NETWORK, DoctorContext, NotReached
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, passed, quoted, skipped, warned

PUSH_FLOOR = "18.4"  # https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository

# A JWT is refused when its time of issue is in the future or its end has passed: identity providers allow a minute or
# a few.
CLOCK_WARNING, CLOCK_FAILURE = 60, 300


def reachable(around: DoctorContext) -> CheckResult:
    settings = around.usable()
    try:
        answer = around.answer()
    except NotReached as error:
        return failed(error.what, error.cure)
    kind = answer.headers.get("content-type", "").split(";")[0]
    if answer.status >= 500:
        return failed(f"{settings.url} answers {answer.status}: overloaded or under maintenance", "Try again later.")
    if "json" not in kind or answer.status not in (200, 401, 403):
        what = f"What answers at {settings.url} is not GitLab's API ({answer.status}{quoted(kind)})"
        return failed(what, f"Is a login page or a proxy in the way? {NETWORK}")
    if origin(answer.url) != origin(settings.url):
        what = f"{settings.url} redirects to another address, which git does not follow with a token"
        return warned(what, "Set GITLAB_URL (in a job: GitLab's external URL) to the address that people use.")
    return passed(f"GitLab answers at {settings.url}")


def version(around: DoctorContext) -> CheckResult:
    said = around.variable("CI_SERVER_VERSION") if around.in_ci else ""
    if not said:
        if around.credential and around.credential.kind == "job token":
            raise Skipped("GitLab does not tell a job token, and CI_SERVER_VERSION is not set", "Ask an administrator.")
        said = around.gitlab().get("/version").text("version")
    found = re.match(r"(\d{1,4})\.(\d{1,4})(\.\d{1,4})?", said)
    if found is None:
        return skipped("GitLab's version: it has not the form of one", "Ask an administrator.")
    number, shown = (int(found[1]), int(found[2])), found[0]
    upgrade = "Upgrade GitLab, or set GITLAB_ACCESS_TOKEN (scope api)."
    if not _uses_job_token(around):
        return passed(f"GitLab is version {shown}")
    if number < _numbers(PUSH_FLOOR) and not around.usable().read_only:
        return failed(f"GitLab is version {shown}: jobs can push with CI_JOB_TOKEN from {PUSH_FLOOR} on", upgrade)
    if number < _numbers(job_token.FLOOR):
        what = f"GitLab is version {shown}: CI_JOB_TOKEN reads issues and merge requests from {job_token.FLOOR} on"
        return warned(what, upgrade)
    return passed(f"GitLab is version {shown}, which lets CI_JOB_TOKEN read and push")


def clock(around: DoctorContext) -> CheckResult:
    answer = around.answer()
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        raise Skipped("GitLab's answer has no date", "Compare the clocks by hand: run date -u here.") from None
    off = round(answer.at - theirs)
    if abs(off) <= CLOCK_WARNING:
        return passed("The clock agrees with GitLab's")
    what = f"The clock here is {abs(off)} s {'ahead of' if off > 0 else 'behind'} GitLab's"
    remedy = "Synchronise the runner's clock (NTP): job tokens that are JWTs and OIDC log-ins break when clocks differ."
    return failed(what, remedy) if abs(off) > CLOCK_FAILURE else warned(what, remedy)


def _uses_job_token(around: DoctorContext) -> bool:
    if around.credential is None:
        return False
    if around.credential.kind == "job token":
        return True
    try:
        return around.pushes()
    except Skipped:
        return False


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


CHECKS = (
    Check("reachable", "whether GitLab can be reached", reachable),
    Check("clock", "whether the clock agrees with GitLab's", clock),
    Check("version", "which version GitLab has", version),
)
