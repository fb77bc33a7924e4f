"""The model's credentials: whether they are there. The model is not asked, and no value is shown."""

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


def has_credentials(around: DoctorContext) -> bool:
    """Whether the model's credentials are there."""
    result = credentials(around)
    return result is not None and result.status == "pass"


def credentials(around: DoctorContext) -> CheckResult | None:
    if _on(around, "CLAUDE_CODE_USE_BEDROCK"):
        return _bedrock(around)
    if _on(around, "CLAUDE_CODE_USE_VERTEX"):
        return _vertex(around)
    for name in DIRECT:
        if around.variable(name):
            return passed(f"{name} is set (whether it is good was not asked)")
    if around.variable("AWS_ROLE_TO_ASSUME"):
        return failed("AWS_ROLE_TO_ASSUME is set, and Bedrock is not switched on", "Set CLAUDE_CODE_USE_BEDROCK=1.")
    if around.variable("GCP_WORKLOAD_IDENTITY_PROVIDER"):
        what = "GCP_WORKLOAD_IDENTITY_PROVIDER is set, and Vertex is not switched on"
        return failed(what, "Set CLAUDE_CODE_USE_VERTEX=1, CLOUD_ML_REGION and ANTHROPIC_VERTEX_PROJECT_ID.")
    remedy = (
        "Set ANTHROPIC_API_KEY (in a job: Settings > CI/CD > Variables > Add variable, masked), or the variables of"
        " Bedrock or Vertex."
    )
    if around.in_ci:
        return failed("No credential of the model is set", remedy)
    return skipped("whether claude is logged in: no credential of the model is set in the environment", remedy)


def _bedrock(around: DoctorContext) -> CheckResult:
    missing = [] if around.variable("AWS_REGION") else ["AWS_REGION"]
    if not any(all(around.variable(name) for name in way) for way in AWS):
        role = around.variable("AWS_ROLE_TO_ASSUME")
        missing.append(
            "what AWS_ROLE_TO_ASSUME is exchanged for (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and"
            " AWS_WEB_IDENTITY_TOKEN_FILE)"
            if role
            else "a credential (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY)"
        )
    token = around.variable("AWS_WEB_IDENTITY_TOKEN_FILE")
    if token and not around.variable("AWS_ACCESS_KEY_ID") and not Path(token).is_file():
        missing.append("the file that AWS_WEB_IDENTITY_TOKEN_FILE names")
    return _complete("Bedrock", missing)


def _vertex(around: DoctorContext) -> CheckResult:
    missing = [name for name in ("CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID") if not around.variable(name)]
    named = around.variable("GOOGLE_APPLICATION_CREDENTIALS")
    usual = around.home / ".config" / "gcloud" / "application_default_credentials.json"
    if not (Path(named) if named else usual).is_file():
        missing.append("the credential file that GOOGLE_APPLICATION_CREDENTIALS names")
    return _complete("Vertex", missing)


def _complete(what: str, missing: list[str]) -> CheckResult:
    if not missing:
        return passed(f"{what} is switched on, and its credentials are there (whether they are good was not asked)")
    remedy = (
        "Set it before claude: an id_tokens entry of the job and Settings > CI/CD > Variables are where it comes from."
    )
    return failed(f"{what} is switched on, and this is missing: {', '.join(missing)}", remedy)


def _on(around: DoctorContext, name: str) -> bool:
    return around.variable(name).lower() in ("1", "true", "yes", "on")


CHECKS = (Check("model", "whether the model's credentials are there", credentials),)
