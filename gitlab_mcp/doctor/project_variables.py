"""Checks of a project's CI/CD variables from outside its jobs. No value is shown, and none is used."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.doctor.access_token import EXPIRY_DAYS
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.model import DIRECT
from gitlab_mcp.doctor.project_setup import ACCESS_TOKEN, ONLY_A_JOB, for_maintainers, variables
from gitlab_mcp.doctor.result import CheckResult, Skipped, passed, warned

CI_VARIABLES = "Settings > CI/CD > Variables"
HIDE = f"Delete it and add it again as Masked and hidden: {CI_VARIABLES} > Add variable."
NEW_TOKEN = (
    "Create one with role Developer and scope api in Settings > Access tokens > Add new token, and set it as"
    f" {ACCESS_TOKEN} in {CI_VARIABLES}."
)


def model(context: DoctorContext) -> CheckResult:
    """Whether the project has a variable with the model's key; a cloud's sign-in needs none."""
    found = variables(context)
    names = [name for name in DIRECT if name in found]
    if names:
        return _visible(found, names) or passed(
            f"{_are(names)} set and masked; whether the model accepts it: {ONLY_A_JOB}"
        )
    raise Skipped(
        f"the project has no variable {DIRECT[0]}, and {ONLY_A_JOB} what it has from a group or signs in with",
        "Unless a group has it or the job signs in with an ID token, add it as Masked and hidden:"
        f" {CI_VARIABLES} > Add variable.",
    )


def comments(context: DoctorContext) -> CheckResult:
    """Whether jobs have an access token, without which they write no comment."""
    found = variables(context)
    if ACCESS_TOKEN in found:
        return _visible(found, [ACCESS_TOKEN]) or passed(f"{ACCESS_TOKEN} is set and masked: jobs write comments")
    what = f"The project has no variable {ACCESS_TOKEN}: its jobs push and open merge requests, and write no comment"
    return warned(what, NEW_TOKEN)


def _visible(found: dict[str, Entity], names: Iterable[str]) -> CheckResult | None:
    bare = [name for name in names if not found[name].flag("masked")]
    if not bare:
        return None
    return warned(f"{_are(bare)} not masked: what a job prints of it is in its log, which others read", HIDE)


def _are(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def expiry(context: DoctorContext) -> CheckResult | None:
    """When the project's access tokens expire; which of them the variable holds, GitLab does not tell."""
    # On GitLab.com without Premium there are none, and GitLab answers 401.
    tokens = for_maintainers(
        context, lambda gitlab, path: gitlab.every_readable(f"{path}/access_tokens", state="active")
    )
    if not tokens or ACCESS_TOKEN not in variables(context):
        return None
    ends = sorted(day for row in tokens if (day := row.day("expires_at")))
    if not ends:
        return passed("The project's access tokens have no expiry date")
    left = (date.fromisoformat(ends[0]) - datetime.now(UTC).date()).days
    if left > EXPIRY_DAYS:
        return passed(f"The project's access tokens are valid until {ends[0]}")
    return warned(
        f"An access token of the project expires on {ends[0]}; whether {ACCESS_TOKEN} holds it: {ONLY_A_JOB}",
        f"Rotate it in Settings > Access tokens, and set its new value as {ACCESS_TOKEN} in {CI_VARIABLES}.",
    )


def protected(context: DoctorContext) -> CheckResult | None:
    """The variables of a run that jobs of unprotected branches lack."""
    found = variables(context)
    names = [name for name in (ACCESS_TOKEN, *DIRECT) if name in found and found[name].flag("protected")]
    if not names:
        return None
    return warned(
        f"{_are(names)} protected: pipelines of other branches, and so of most merge requests, run without",
        "This is as it should be if runs start on protected branches only. Otherwise clear Protect variable in"
        f" {CI_VARIABLES}.",
    )


CHECKS = (
    Check("expiry", "when the project's access tokens expire", expiry),
    Check("protected-variables", "whether variables of runs are protected", protected),
    Check("model", "whether the project has the model's key", model),
    Check("comments", "whether the project's jobs can write comments", comments),
)
