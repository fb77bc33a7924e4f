"""Checks of the configuration: whether it can be used, and which of the tokens that are set is used."""

from gitlab_mcp.config.settings import ACCESS_TOKEN_VARIABLES, MissingCredential
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.model import has_credentials
from gitlab_mcp.doctor.result import CheckResult, failed, in_quotes, passed, warned
from gitlab_mcp.safety.policy import other_project


def usable(context: DoctorContext) -> CheckResult:
    if isinstance(context.problem, MissingCredential):
        return failed(str(context.problem), context.new_token)
    if context.problem:
        where = " in .gitlab-ci.yml or Settings > CI/CD > Variables" if context.in_ci else ""
        return failed(str(context.problem), f"Correct that flag or variable{where}.")
    settings = context.require_settings()
    if other := other_project(settings):
        return failed(other, "Remove GITLAB_PROJECT or --project, or allow it with --allow-project.")
    project = f"project {in_quotes(settings.project)}" if settings.project else "no project"
    return passed(f"The configuration can be used: {settings.url}, {project}")


def credential(context: DoctorContext) -> CheckResult | None:
    used = context.credential
    if used is None:
        return None
    if used.kind == "access token":
        return passed(f"The credential is an access token, from {used.variable}")
    if used.kind == "flow token":
        return passed(f"The credential is the token of a flow, from {used.variable}")
    if used.variable != "CI_JOB_TOKEN":
        return warned(f"{used.variable} holds a job token, which is not an access token", context.new_token)
    return passed(
        "The credential is CI_JOB_TOKEN: it reads, and pushes with git; comments need GITLAB_ACCESS_TOKEN (scope api)"
    )


def ignored(context: DoctorContext) -> CheckResult | None:
    """The tokens that are set and have no effect, and why."""
    used = context.credential.variable if context.credential else ""
    names = [
        name for name in (*ACCESS_TOKEN_VARIABLES, "AI_FLOW_GITLAB_TOKEN") if name != used and context.is_set(name)
    ]
    # Where the configuration cannot be used, it is not known which token would be.
    if not names or context.settings is None or (not context.credential and not context.in_ci):
        return None
    listed, verb = " and ".join(names), "is" if len(names) == 1 else "are"
    if context.credential and context.credential.kind == "access token":
        return passed(f"{listed} {verb} set too, and not used: {used} is")
    what = f"{listed} {verb} set, and not used: in a job these belong to other tools"
    return warned(what, "If that token is meant for this server, set it as GITLAB_ACCESS_TOKEN.")


def protected(context: DoctorContext) -> CheckResult | None:
    """The variables that a job of an unprotected ref may lack because they are protected."""
    if not context.in_ci or context.variable("CI_COMMIT_REF_PROTECTED").lower() != "false":
        return None
    missing = [] if context.is_set("GITLAB_ACCESS_TOKEN") else ["GITLAB_ACCESS_TOKEN"]
    missing += [] if has_credentials(context) else ["the model's key (ANTHROPIC_API_KEY)"]
    if not missing:
        return None
    verb = "is" if len(missing) == 1 else "are"
    return warned(
        f"{' and '.join(missing)} {verb} not set, and this ref is not protected: GitLab gives a protected variable"
        " neither to unprotected refs nor to merge requests from forks",
        "If it is set in Settings > CI/CD > Variables, clear Protect variable there, or protect the branch in Settings"
        " > Repository > Protected branches.",
    )


CHECKS = (
    Check("configuration", "whether the configuration can be used", usable),
    Check("credential", "which credential is used", credential),
    Check("ignored-tokens", "which tokens are not used", ignored),
    Check("protected-variables", "whether protected variables are missing", protected),
)
