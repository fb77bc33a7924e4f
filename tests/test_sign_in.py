"""How the jobs on a cloud sign in, in every shell: what they leave to claude, and to nobody else."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.templates import PROVIDERS, interpolated, script

SHELLS = ["sh", "bash", "dash", "busybox sh"]
TOKEN = "header.of-the-token.signature"
VALUES = {
    "bedrock": {"aws_role_arn": "$ROLE", "aws_region": "$REGION"},
    "vertex": {
        "gcp_workload_identity_provider": "$PROVIDER",
        "gcp_service_account": "$ACCOUNT",
        "gcp_project_id": "$PROJECT",
        "gcp_region": "$REGION",
    },
    "api-oidc": {"federation_rule_id": "$RULE", "organization_id": "$ORGANIZATION", "service_account_id": "$SERVICE"},
}
GIVEN = {
    "ROLE": "arn:aws:iam::123456789012:role/claude",
    "REGION": "eu-central-1",
    "PROVIDER": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/gitlab/providers/app",
    "ACCOUNT": "claude@acme-ai.iam.gserviceaccount.com",
    "PROJECT": "acme-ai",
    "RULE": "fdrl_01Of",
    "ORGANIZATION": "6f1b2c3d-0000-4000-8000-000000000000",
    "SERVICE": "svac_01Of",
}
# What a project has for its other jobs.
OTHERS = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"),
        *("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_ROLE_ARN", "AWS_REGION", "CLOUD_ML_REGION", "CLAUDE_CODE_USE_FOUNDRY"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"),
        *("CLAUDE_CODE_SKIP_BEDROCK_AUTH", "CLAUDE_CODE_SKIP_VERTEX_AUTH", "CLAUDE_CODE_OAUTH_TOKEN"),
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_WORKSPACE_ID"),
    ),
    "of-other-jobs",
)
LEFT = {
    "bedrock": {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ROLE_ARN": GIVEN["ROLE"],
        "AWS_ROLE_SESSION_NAME": "gitlab-7-1001",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
    },
    "vertex": {
        "ANTHROPIC_VERTEX_PROJECT_ID": "acme-ai",
        "CLOUD_ML_REGION": "eu-central-1",
        "CLAUDE_CODE_USE_VERTEX": "1",
    },
    "api-oidc": {
        "ANTHROPIC_FEDERATION_RULE_ID": GIVEN["RULE"],
        "ANTHROPIC_ORGANIZATION_ID": GIVEN["ORGANIZATION"],
        "ANTHROPIC_SERVICE_ACCOUNT_ID": GIVEN["SERVICE"],
    },
}
# Variables of other providers, which have no effect on this one, and are not passed on by the run.
API = ("ANTHROPIC_API", "ANTHROPIC_AUTH", "ANTHROPIC_WORKSPACE", "CLAUDE_CODE_OAUTH")
GOOGLE = ("GOOGLE", "GCLOUD", "CLOUD_ML", "ANTHROPIC_VERTEX")
KEPT = {
    "bedrock": (*GOOGLE, *API, "CLAUDE_CODE_SKIP_VERTEX_AUTH"),
    "vertex": ("AWS", *API, "CLAUDE_CODE_SKIP_BEDROCK_AUTH"),
    "api-oidc": ("AWS", *GOOGLE, "CLAUDE_CODE_SKIP"),
}
FILE = {
    "bedrock": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "vertex": "GOOGLE_APPLICATION_CREDENTIALS",
    "api-oidc": "ANTHROPIC_IDENTITY_TOKEN_FILE",
}


def run(provider: str, shell: str, folder: Path, after: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Sign in as the job does, then do what is in `after`, in the same shell."""
    program = shutil.which(shell.split()[0])
    if program is None:
        pytest.skip(f"{shell} is not on PATH")
    for name in ("checkout", "tmp"):
        (folder / name).mkdir()
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": str(folder / "tmp"),
        "CI_PROJECT_ID": "7",
        "CI_JOB_ID": "1001",
        "CLAUDE_ID_TOKEN": TOKEN,
        **OTHERS,
        **GIVEN,
        **changes,
    }
    # As a runner does: whatever fails ends it, and the script is one text that is evaluated.
    lines = script(interpolated(VALUES[provider], PROVIDERS[provider]), "before_script") + after
    command = [program, *shell.split()[1:], "-c", 'set -e; eval "$1" </dev/null', "job", lines]
    return subprocess.run(
        command,
        env=environment,
        cwd=folder / "checkout",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        umask=0o002,
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_token_is_in_a_file_for_the_jobs_user_until_the_end_and_nowhere_else(
    provider: str, shell: str, tmp_path: Path
) -> None:
    after = 'env >"$OLDPWD/left"; cp -pR "$TMPDIR" "$OLDPWD/seen"'
    done = run(provider, shell, tmp_path, after, OLDPWD=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""

    [made] = (tmp_path / "seen").iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert (made / "token").read_text() == TOKEN
    assert (made / "token").stat().st_mode & 0o777 == 0o600
    left = dict(line.split("=", 1) for line in (tmp_path / "left").read_text().splitlines())
    assert TOKEN not in left.values()
    assert {name: left.get(name) for name in LEFT[provider]} == LEFT[provider]
    assert Path(left[FILE[provider]]).parent == tmp_path / "tmp" / made.name
    others = {name for name, value in left.items() if value == "of-other-jobs"}
    assert {name for name in others if not name.startswith(KEPT[provider])} == set()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "checkout").iterdir()) == []


@pytest.mark.parametrize("after", ["exit 3", "false", "kill -TERM $$"])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_token_is_gone_however_the_job_ends(shell: str, after: str, tmp_path: Path) -> None:
    # As a runner does.
    done = run("bedrock", shell, tmp_path, f"trap 'exit 1' TERM; ls \"$TMPDIR\"/*; {after}")
    assert done.returncode != 0
    assert done.stdout == "token\n" or done.stdout.endswith("/token\n")
    assert list((tmp_path / "tmp").iterdir()) == []


WRONG = [
    *(("bedrock", "ROLE", value) for value in ("", "claude", "arn:aws:iam::1:user/x", 'arn:aws:iam::1:role/x"')),
    *(("bedrock", "REGION", value) for value in ("", "x.example.com/", "eu-central-1#")),
    *(
        ("vertex", "PROVIDER", value)
        for value in ("", "projects/1", f'{GIVEN["PROVIDER"]}"', "//example.com/projects/1")
    ),
    *(("vertex", "ACCOUNT", value) for value in ("", "claude@example.com", '"@x.gserviceaccount.com', "../x")),
    *(("vertex", "PROJECT", value) for value in ("", "../other", "a b")),
    *(("vertex", "REGION", value) for value in ("", "x.example.com/", "us-east5/")),
    *(("api-oidc", name, value) for name in ("RULE", "ORGANIZATION", "SERVICE") for value in ("", "a b", "../x", 'a"')),
    *((provider, "CLAUDE_ID_TOKEN", "") for provider in PROVIDERS),
]


@pytest.mark.parametrize(("provider", "name", "value"), WRONG)
def test_a_variable_that_has_not_the_form_of_what_it_is_for_ends_the_job_at_once(
    provider: str, name: str, value: str, tmp_path: Path
) -> None:
    done = run(provider, "sh", tmp_path, "echo signed in", **{name: value})
    assert done.returncode == 1
    assert done.stdout == ""
    named = [given for given, variable in VALUES[provider].items() if variable == f"${name}"]
    assert (named[0] if named else "ID token") in done.stderr
    assert not value or value not in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
