"""The check of the model's credentials: whether they are set. No request is sent to the model, no value is shown."""

from pathlib import Path

from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, failed, passed, skipped

DIRECT = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")

# Each row is one way in which AWS's client finds a credential.
AWS = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_BEARER_TOKEN_BEDROCK",),
    ("AWS_PROFILE",),
    ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
)


def has_credentials(context: DoctorContext) -> bool:
    """Whether the model's credentials are set."""
    result = credentials(context)
    return result is not None and result.status == "pass"


def credentials(context: DoctorContext) -> CheckResult | None:
    if _is_true(context, "CLAUDE_CODE_USE_BEDROCK"):
        return _bedrock(context)
    if _is_true(context, "CLAUDE_CODE_USE_VERTEX"):
        return _vertex(context)
    for name in DIRECT:
        if context.variable(name):
            return passed(f"{name} is set (its validity was not checked)")
    if context.variable("AWS_ROLE_TO_ASSUME"):
        return failed("AWS_ROLE_TO_ASSUME is set, but Bedrock is not enabled", "Set CLAUDE_CODE_USE_BEDROCK=1.")
    if context.variable("GCP_WORKLOAD_IDENTITY_PROVIDER"):
        what = "GCP_WORKLOAD_IDENTITY_PROVIDER is set, but Vertex is not enabled"
        return failed(what, "Set CLAUDE_CODE_USE_VERTEX=1, CLOUD_ML_REGION and ANTHROPIC_VERTEX_PROJECT_ID.")
    remedy = (
        f"Set ANTHROPIC_API_KEY{' in Settings > CI/CD > Variables > Add variable, masked' if context.in_ci else ''}, or"
        " the variables of Bedrock or Vertex."
    )
    if context.in_ci:
        return failed("No credential for the model is set", remedy)
    return skipped("whether claude is logged in: no credential for the model is set in the environment", remedy)


def _bedrock(context: DoctorContext) -> CheckResult:
    missing = [] if context.variable("AWS_REGION") else ["AWS_REGION"]
    if not any(all(context.variable(name) for name in way) for way in AWS):
        role = context.variable("AWS_ROLE_TO_ASSUME")
        missing.append(
            "what AWS_ROLE_TO_ASSUME is exchanged for (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and"
            " AWS_WEB_IDENTITY_TOKEN_FILE)"
            if role
            else "a credential (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY)"
        )
    token = context.variable("AWS_WEB_IDENTITY_TOKEN_FILE")
    if token and not context.variable("AWS_ACCESS_KEY_ID") and not Path(token).is_file():
        missing.append("the file that AWS_WEB_IDENTITY_TOKEN_FILE names")
    return _result("Bedrock", missing, in_ci=context.in_ci)


def _vertex(context: DoctorContext) -> CheckResult:
    missing = [name for name in ("CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID") if not context.variable(name)]
    path = context.variable("GOOGLE_APPLICATION_CREDENTIALS")
    default = context.home / ".config" / "gcloud" / "application_default_credentials.json"
    if not (Path(path) if path else default).is_file():
        missing.append("the credential file that GOOGLE_APPLICATION_CREDENTIALS names")
    return _result("Vertex", missing, in_ci=context.in_ci)


def _result(platform: str, missing: list[str], *, in_ci: bool) -> CheckResult:
    if not missing:
        return passed(f"{platform} is enabled, and its credentials are set (their validity was not checked)")
    source = ": it comes from an id_tokens entry of the job and Settings > CI/CD > Variables" if in_ci else ""
    remedy = f"Set it before claude runs{source}."
    return failed(f"{platform} is enabled, but this is missing: {', '.join(missing)}", remedy)


def _is_true(context: DoctorContext, name: str) -> bool:
    return context.variable(name).lower() in ("1", "true", "yes", "on")


CHECKS = (Check("model", "whether the model's credentials are set", credentials),)
