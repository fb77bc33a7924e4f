"""Who serves the model: the inputs of each provider's template, and what is done in its own console or shell."""

import json
import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

import yaml

from gitlab_mcp.config.settings import SettingsError
from gitlab_mcp.setup.facts import SetupFacts
from gitlab_mcp.setup.options import SetupOptions
from gitlab_mcp.setup.own_files import template

ROLE_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):role/(?P<name>[\w+=,.@-]+)")
POOL_PROVIDER = re.compile(
    r"projects/(?P<number>[0-9]+)/locations/global/workloadIdentityPools/(?P<pool>[a-z0-9-]{4,32})"
    r"/providers/(?P<provider>[a-z0-9-]{4,32})"
)
SERVICE_ACCOUNT = re.compile(
    r"(?P<name>[a-z][a-z0-9-]{4,28}[a-z0-9])@(?P<project>[a-z][a-z0-9-]{4,28}[a-z0-9])\.iam\..*"
)
# What a value looks like, for the message about one that is missing.
FORMS = {
    "aws_role_arn": "arn:aws:iam::123456789012:role/gitlab-claude",
    "aws_region": "eu-central-1",
    "gcp_workload_identity_provider": (
        "projects/123456789012/locations/global/workloadIdentityPools/gitlab/providers/acme"
    ),
    "gcp_service_account": "claude@acme-ai.iam.gserviceaccount.com",
    "gcp_project_id": "acme-ai",
    "gcp_region": "europe-west1",
    "federation_rule_id": "fdrl_01ABC",
    "organization_id": "6f1b2c3d-0000-4000-8000-000000000000",
    "service_account_id": "svac_01ABC",
}
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
ACTIONS = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:ListInferenceProfiles")
MODELS = "--policy-document file://models.json"
AUDIENCE = "https://api.anthropic.com"  # of the ID token for the Claude API: templates/claude-api-oidc.yml


@cache
def declared_inputs(name: str) -> dict[str, dict[str, object]]:
    """The inputs that a template declares, by name."""
    header = next(yaml.safe_load_all(template(name)))
    declared: dict[str, dict[str, object]] = header["spec"]["inputs"]
    return declared


def checked_inputs(options: SetupOptions) -> dict[str, object]:
    """The inputs that were given, of the types that the template declares.

    Raises SettingsError for one that the template lacks, needs, or would not accept.
    """
    declared = declared_inputs(options.template)
    if unknown := [name for name in options.inputs if name not in declared]:
        raise SettingsError(f"{options.template}.yml has no input {', '.join(unknown)}; known: {', '.join(declared)}.")
    missing = [name for name, input_ in declared.items() if "default" not in input_ and name not in options.inputs]
    if missing:
        shown = " ".join(f"--input {name}={FORMS.get(name, '...')}" for name in missing)
        raise SettingsError(f"The provider {options.provider} needs {', '.join(missing)}, such as: {shown}")
    return {name: _typed(name, value, declared[name]) for name, value in options.inputs.items()}


def _typed(name: str, value: str, input_: Mapping[str, object]) -> object:
    pattern, kind = input_.get("regex"), str(input_.get("type", "string"))
    if kind == "string":
        if isinstance(pattern, str) and not re.search(pattern, value):
            raise SettingsError(f'The input {name} is "{value}", which does not have its form ({pattern}).')
        return value
    types = {"number": (int, float), "boolean": (bool,), "array": (list,)}[kind]
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        parsed = None
    if not isinstance(parsed, types) or (kind == "number" and isinstance(parsed, bool)):
        raise SettingsError(f'The input {name} is "{value}", which is not a {kind}.')
    return parsed


def instructions(options: SetupOptions, facts: SetupFacts, url: str) -> list[str]:
    """What a person does at the provider, as lines: commands with the values of this project, or fields of a console.

    Raises SettingsError where a value from which they are made does not have its form.
    """
    subject = f"project_path:{facts.path}:ref_type:branch:ref:*"
    match options.provider:
        case "bedrock":
            return _bedrock(options.inputs, subject, url)
        case "vertex":
            return _vertex(options.inputs, facts, url)
        case "oidc":
            return [
                "# In the Claude Console, under workload identity federation:",
                f"issuer: {url}",
                f"service account: {options.inputs['service_account_id']}",
                f"federation rule {options.inputs['federation_rule_id']}: audience {AUDIENCE}, subject {subject}",
            ]
    return []


def _bedrock(inputs: Mapping[str, str], subject: str, url: str) -> list[str]:
    """https://docs.gitlab.com/ci/cloud_services/aws/"""
    role = ROLE_ARN.fullmatch(inputs["aws_role_arn"])
    if role is None:
        return [
            "aws_role_arn is not the ARN of a role, so that the commands for AWS are not shown: docs/setup.md has them."
        ]
    bedrock = f"arn:{role['partition']}:bedrock"
    host, account, partition = urlsplit(url).netloc + urlsplit(url).path, role["account"], role["partition"]
    return [
        f"# In AWS, as an administrator of the account {account}:",
        f"aws iam create-open-id-connect-provider --url {url} --client-id-list {url}",
        "cat >trust.json <<'END'",
        '{"Version": "2012-10-17", "Statement": [{',
        '  "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",',
        f'  "Principal": {{"Federated": "arn:{partition}:iam::{account}:oidc-provider/{host}"}},',
        '  "Condition": {',
        f'    "StringEquals": {{"{host}:aud": "{url}"}},',
        f'    "StringLike": {{"{host}:sub": "{subject}"}}}}}}]}}',
        "END",
        "cat >models.json <<'END'",
        '{"Version": "2012-10-17", "Statement": [{',
        '  "Effect": "Allow",',
        f'  "Action": [{", ".join(map(json.dumps, ACTIONS))}],',
        f'  "Resource": ["{bedrock}:*::foundation-model/*", "{bedrock}:*:{account}:inference-profile/*"]}}]}}',
        "END",
        f"aws iam create-role --role-name {role['name']} --assume-role-policy-document file://trust.json",
        f"aws iam put-role-policy --role-name {role['name']} --policy-name use-models {MODELS}",
    ]


def _vertex(inputs: Mapping[str, str], facts: SetupFacts, url: str) -> list[str]:
    """https://docs.gitlab.com/ci/cloud_services/google_cloud/ The issuer ends with a slash, the audience does not."""
    pool = POOL_PROVIDER.fullmatch(inputs["gcp_workload_identity_provider"])
    account = SERVICE_ACCOUNT.fullmatch(inputs["gcp_service_account"])
    if pool is None or account is None:
        return ["An input is a variable, so that the commands for Google Cloud are not shown: docs/setup.md has them."]
    project, email = inputs["gcp_project_id"], account[0]
    members = f"principalSet://iam.googleapis.com/projects/{pool['number']}/locations/global/workloadIdentityPools"
    return [
        f"# In Google Cloud, as an owner of the project {project}:",
        f"gcloud config set project {project}",
        "gcloud services enable iamcredentials.googleapis.com sts.googleapis.com aiplatform.googleapis.com",
        f"gcloud iam workload-identity-pools create {pool['pool']} --location=global",
        f"gcloud iam workload-identity-pools providers create-oidc {pool['provider']} --location=global \\",
        f"  --workload-identity-pool={pool['pool']} --issuer-uri={url}/ --allowed-audiences={url} \\",
        "  --attribute-mapping=google.subject=assertion.sub,attribute.project_path=assertion.project_path \\",
        f"  --attribute-condition=\"assertion.project_path=='{facts.path}'\"",
        f"gcloud iam service-accounts create {account['name']}",
        f"gcloud projects add-iam-policy-binding {project} --role=roles/aiplatform.user \\",
        f"  --member=serviceAccount:{email}",
        f"gcloud iam service-accounts add-iam-policy-binding {email} --role=roles/iam.workloadIdentityUser \\",
        f"  --member={members}/{pool['pool']}/attribute.project_path/{facts.path}",
    ]
