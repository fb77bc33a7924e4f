"""The jobs on Amazon Bedrock and Google Vertex AI, up to the cloud's own door and through it, with the real CLI.

tests/e2e/clouds.py plays the doors, at the names that they have: nothing in a job is told of another address.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e import clouds
from tests.e2e.ci_local import STAND_INS, Job, installed_server, needs_ci_local, run_job
from tests.e2e.claude import SYSTEM_PATH, USERS, Place, fresh_place
from tests.e2e.clouds import (
    ACCOUNT,
    ID_TOKEN,
    LOCATION,
    ORGANIZATION,
    PROJECT,
    PROVIDER,
    REGION,
    ROLE,
    RULE,
    SECRETS,
    SERVICE,
    Cloud,
    cloud,
)
from tests.e2e.model import Call, Model, Request, Turn
from tests.e2e.template_job import ALWAYS, NPM, commit
from tests.support.seed import SEED
from tests.support.templates import ALL, EXAMPLES, PROVIDERS

pytestmark = needs_ci_local

INPUTS: Mapping[str, Mapping[str, str]] = {
    "bedrock": {"aws_role_arn": ROLE, "aws_region": REGION},
    "vertex": {
        "gcp_workload_identity_provider": PROVIDER,
        "gcp_service_account": ACCOUNT,
        "gcp_project_id": PROJECT,
        "gcp_region": LOCATION,
    },
    "api-oidc": {"federation_rule_id": RULE, "organization_id": ORGANIZATION, "service_account_id": SERVICE},
}
# In the order in which they are asked.
DOORS = {
    "bedrock": [clouds.STS, clouds.BEDROCK, clouds.RUNTIME],
    "vertex": [clouds.EXCHANGE, clouds.IAM, clouds.VERTEX],
    "api-oidc": [clouds.CLAUDE],
}
TOOLS = "Bash Read(./**) Edit(./**) mcp__gitlab"
ASKED = '--version it\'s "this" $HOME'
TURNS: list[Turn] = [
    [
        Call("mcp__gitlab__get_issue", {"iid": str(SEED.crash_issue.iid)}),
        Call("Bash", {"command": 'printf \'%s.\' "${#CLAUDE_ID_TOKEN}" "${#GITLAB_OIDC_TOKEN}"; ls -A'}),
    ]
]
# Keys that a project has for its other jobs: with them, a door refuses.
OTHER_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAOFOTHERJOBS",
    "AWS_SECRET_ACCESS_KEY": "secret-key-of-other-jobs",
    "AWS_PROFILE": "other",
    "AWS_REGION": "us-east-1",
    "GOOGLE_CLOUD_PROJECT": "other-project",
    "ANTHROPIC_API_KEY": "key-of-other-jobs",
}


@dataclass(frozen=True)
class Run:
    """A job on a cloud, over."""

    job: Job
    requests: list[Request]
    cloud: Cloud
    left: list[str]  # what is in the folder for temporary files

    @property
    def secrets_told(self) -> list[str]:
        """The secrets that are in the log, in what gitlab-ci-local said, or in what the model got."""
        bodies = json.dumps([request.body for request in self.requests])
        told = self.job.log + self.job.done.stdout + self.job.done.stderr + bodies
        return [secret for secret in SECRETS if secret in told]


@pytest.fixture(params=USERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with fresh_place(request.param) as fresh:
        yield fresh


def run(
    place: Place,
    gitlab: Sandbox,
    job: str,
    variables: Mapping[str, str],
    *,
    files: Mapping[str, str],
    stand_ins: Mapping[str, str] = STAND_INS,
) -> Run:
    """Run a job in a checkout of the sandbox's project with `files` in it, between the cloud's doors.

    What GitLab gives as the ID token comes as a variable, as gitlab-ci-local gives none.
    """
    with installed_server(place.user), Model(TURNS) as model, cloud(model) as opened:
        # In CI only an input says where the proxy is.
        commit(place, gitlab, {name: text.replace("PROXY-OF-THE-TEST", opened.address) for name, text in files.items()})
        given = {
            "CI_JOB_TOKEN": gitlab.tokens["job"],
            "GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"],
            "CI_PROJECT_ID": str(gitlab.project_id),
            "CI_PROJECT_PATH": gitlab.project,
            "CI_PROJECT_URL": f"{gitlab.url}/{gitlab.project}",
            "CI_SERVER_URL": gitlab.url,
            "CI_API_V4_URL": f"{gitlab.url}/api/v4",
            "CI_DEFAULT_BRANCH": "main",
            "AI_FLOW_INPUT": ASKED,
            # Nothing leads to the model but the cloud.
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            **opened.variables,
            **variables,
        }
        done = run_job(place, model, given, job=job, stand_ins=stand_ins, found=False)
    left = [path.name for path in (place.folder / "tmp").iterdir() if path.name.startswith("tmp.")]
    return Run(done, model.requests, opened, left)


def of_template(place: Place, gitlab: Sandbox, provider: str, variables: Mapping[str, str], **more: str) -> Run:
    """Run the job of a template."""
    usual = {"rules": ALWAYS, "proxy": "PROXY-OF-THE-TEST", "allowed_tools": TOOLS}
    include = {
        "include": [{"local": f"/templates/claude-{provider}.yml", "inputs": {**usual, **INPUTS[provider], **more}}]
    }
    files = {f"templates/{path.name}": path.read_text() for path in ALL.values()}
    files[".gitlab-ci.yml"] = json.dumps(include)
    given = {"CLAUDE_ID_TOKEN": ID_TOKEN, **({"ANTHROPIC_BASE_URL": ""} if provider == "api-oidc" else {}), **variables}
    return run(place, gitlab, f"claude-{provider}", given, files=files, stand_ins={**STAND_INS, "npm": NPM})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_job_on_a_cloud_signs_in_with_its_token_and_the_model_has_the_tools(
    sandbox: Sandbox, place: Place, provider: str
) -> None:
    ran = of_template(place, sandbox, provider, OTHER_KEYS)
    assert ran.job.returncode == 0, (ran.job.done, ran.cloud.refused)
    assert "\u25cf DONE" in ran.job.log.splitlines()

    # Nothing was refused on the way, and the cloud's doors are all that was asked.
    assert ran.cloud.refused == []
    assert ran.cloud.hosts() == DOORS[provider]
    assert len(ran.requests) == 2
    assert "mcp__gitlab__get_issue" in ran.requests[0].tools_in_full
    assert ASKED in ran.requests[0].said("user")
    issue, seen = ran.requests[-1].results
    assert issue.text.startswith("# #7 Crash")

    # What signs in is nowhere but in its file, and that is not in the checkout and gone at the end.
    assert seen.text.startswith("0.0.")
    assert "token" not in seen.text
    assert ran.left == []
    assert ran.secrets_told == []
    assert "key-of-other-jobs" not in json.dumps([asked.headers for asked in ran.cloud.asked])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_cloud_does_not_trust_fails_the_job_and_nothing_is_told(sandbox: Sandbox, provider: str) -> None:
    # Bedrock's refusal is tried again ten times otherwise, for three minutes.
    given = {"CLAUDE_ID_TOKEN": "another.token-than.the-one", "CLAUDE_CODE_MAX_RETRIES": "1"}
    with fresh_place() as place:
        ran = of_template(place, sandbox, provider, given)
    assert ran.job.returncode != 0
    assert ran.requests == []
    assert {asked.host for asked in ran.cloud.asked} == {DOORS[provider][0]}
    assert ran.left == []
    assert "another.token-than.the-one" not in ran.job.log
    if provider == "bedrock":
        assert "Not authorized" in ran.job.log


def test_the_job_has_the_rules_prompt_and_limits_of_the_job_that_it_extends(sandbox: Sandbox) -> None:
    prompt = 'Don\'t look; say: "a # b" `c` $HOME [d] {e} \\n - f'
    more = {"prompt": prompt, "model": "us.anthropic.claude-x-1-v1:0", "server_flags": "--read-only"}
    with fresh_place() as place:
        commit(place, sandbox, {"CLAUDE.md": "Rules of the checkout."})
        ran = of_template(place, sandbox, "bedrock", {"AI_FLOW_INPUT": ""}, **more)
    assert ran.job.returncode == 0, ran.job.done
    assert prompt in ran.requests[0].said("user")
    assert ran.requests[0].body["model"] == "us.anthropic.claude-x-1-v1:0"
    assert "Rules of the checkout" not in json.dumps(ran.requests[0].body)
    assert "mcp__gitlab__commit_files" not in ran.requests[0].tools


# Each checks what it is given, as the program in the image would, and asks the door.
AWS = f"""
test "$1 $2 $#" = 'sts assume-role-with-web-identity 10' || exit 2
shift 2
while [ $# != 0 ]; do
  case $1 in
    --role-arn) role=$2 ;;
    --role-session-name) session=$2 ;;
    --web-identity-token) token=$2 ;;
    --duration-seconds) test "$2" = 3600 || exit 2 ;;
    *) exit 2 ;;
  esac
  shift 2
done
case $token in file:///*) token=${{token#file://}} ;; *) exit 2 ;; esac
test "$(stat -c %a "$(dirname "$token")")" = 700 || exit 3
PATH={SYSTEM_PATH} curl --silent --fail --cacert "$AWS_CA_BUNDLE" "https://sts.$AWS_REGION.amazonaws.com/" \\
  --data Action=AssumeRoleWithWebIdentity --data-urlencode "RoleArn=$role" \\
  --data-urlencode "RoleSessionName=$session" --data-urlencode "WebIdentityToken@$token" >/dev/null || exit 254
echo '{json.dumps({"Credentials": clouds.CREDENTIALS})}'"""
GCLOUD = """
test "$1 $2 $#" = 'auth login 3' || exit 2
case $3 in --cred-file=/*) file=${3#--cred-file=} ;; *) exit 2 ;; esac
test "$(stat -c %a "$(dirname "$file")")" = 700 || exit 3
grep -q '"type": "external_account"' "$file" || exit 1
grep -q '"credential_source": { "file": "/' "$file" || exit 1"""
EXAMPLE_VARIABLES = {
    "bedrock": {"AWS_ROLE_TO_ASSUME": ROLE, "AWS_REGION": REGION},
    "vertex": {
        "GCP_WORKLOAD_IDENTITY_PROVIDER": PROVIDER,
        "GCP_SERVICE_ACCOUNT": ACCOUNT,
        "ANTHROPIC_VERTEX_PROJECT_ID": PROJECT,
        "CLOUD_ML_REGION": LOCATION,
    },
}


@pytest.mark.parametrize("provider", EXAMPLE_VARIABLES)
def test_the_corrected_job_of_the_page_runs_through_the_clouds_door(
    sandbox: Sandbox, place: Place, provider: str
) -> None:
    absent = [name for name in ("curl", "jq") if shutil.which(name, path=SYSTEM_PATH) is None]
    if provider == "bedrock" and absent:
        pytest.skip(f"not in {SYSTEM_PATH}: {', '.join(absent)}")
    files = {".gitlab-ci.yml": (EXAMPLES / f"{provider}.gitlab-ci.yml").read_text()}
    stand_ins = {**STAND_INS, "apt-get": 'echo "apt-get $*"', "aws": AWS, "gcloud": GCLOUD}
    given = {"GITLAB_OIDC_TOKEN": ID_TOKEN, **EXAMPLE_VARIABLES[provider]}
    ran = run(place, sandbox, f"claude-{provider}", given, files=files, stand_ins=stand_ins)
    assert ran.job.returncode == 0, (ran.job.done, ran.job.log, ran.cloud.refused)
    assert ran.cloud.refused == []
    assert ran.cloud.hosts() == DOORS[provider]
    assert "mcp__gitlab__get_issue" in ran.requests[0].tools_in_full
    assert ASKED in ran.requests[0].said("user")
    assert ran.requests[-1].results[0].text.startswith("# #7 Crash")
    assert ran.left == []
    assert ran.secrets_told == []


@pytest.mark.parametrize("name", ["quick-setup", "claude-api"])
def test_the_corrected_job_of_the_page_finds_claude_and_shows_no_context(sandbox: Sandbox, name: str) -> None:
    with fresh_place() as place:
        commit(place, sandbox, {".gitlab-ci.yml": (EXAMPLES / f"{name}.gitlab-ci.yml").read_text()})
        given = {
            "CI_JOB_TOKEN": sandbox.tokens["job"],
            "CI_PROJECT_ID": str(sandbox.project_id),
            "AI_FLOW_INPUT": ASKED,
            "AI_FLOW_CONTEXT": '{"iid": 7, "title": "A title for nobody\'s log", "issue_comments": ""}',
        }
        with installed_server(), Model() as model:
            job = run_job(place, model, given, found=False)
    assert job.returncode == 0, job.done
    assert "mcp__gitlab__get_issue" in model.requests[0].tools_in_full
    assert ASKED in model.requests[0].said("user")
    assert "A title for nobody's log" not in job.log


@pytest.mark.parametrize(("name", "reason"), [("bedrock", "aws: "), ("vertex", "--cred-file=")])
def test_the_job_of_the_page_does_not_come_to_the_model(sandbox: Sandbox, name: str, reason: str) -> None:
    """Word for word, so that what the corrected one changes is seen to be needed."""
    page = (EXAMPLES / "page" / f"{name}.gitlab-ci.yml").read_text()
    files = {".gitlab-ci.yml": f"stages: [ai]\n{page}"}
    stand_ins = {**STAND_INS, "pip": "", "apt-get": "", "aws": f"echo 'aws: ' >&2{AWS}", "gcloud": GCLOUD}
    with fresh_place() as place:
        ran = run(place, sandbox, f"claude-{name}", EXAMPLE_VARIABLES[name], files=files, stand_ins=stand_ins)
    assert ran.job.returncode != 0
    assert re.search(reason, ran.job.log)
    assert ran.requests == []
    assert ran.cloud.asked == []
