"""Values of the credential's variables that cannot be a token: the error says what they are, and shows none of them."""

from pathlib import Path

import pytest

from gitlab_mcp.config.credential import Credential
from gitlab_mcp.config.settings import Flags, MissingCredential, Settings, SettingsError, read_settings

TOKEN = "glpat-this-is-not-a-real-token"

WRONG = [
    pytest.param("glpat-...", "is a placeholder", id="three dots"),
    pytest.param("glpat-\N{HORIZONTAL ELLIPSIS}", "is a placeholder", id="an ellipsis"),
    pytest.param("glpat-xxxxxxxxxxxxxxxxxxxx", "is a placeholder", id="x for each character"),
    pytest.param("glpat-AbCd...WxYz", "is a placeholder", id="shortened in the middle"),
    pytest.param("glpat-********************", "is a placeholder", id="masked"),
    pytest.param("<your token>", "is a placeholder", id="in angle brackets"),
    pytest.param("YOUR_TOKEN", "is a placeholder", id="your token"),
    pytest.param("[MASKED]", "is a placeholder", id="as a job's log masks it"),
    pytest.param(f'"{TOKEN}"', "has quotes", id="in double quotes"),
    pytest.param(f"'{TOKEN}'", "has quotes", id="in single quotes"),
    pytest.param(f'{TOKEN}"', "has quotes", id="one quote"),
    pytest.param(f"Bearer {TOKEN}", "contains a blank", id="a whole header"),
    pytest.param(f"{TOKEN[:10]} {TOKEN[10:]}", "contains a blank", id="a blank inside"),
    pytest.param("glpat-", "is shorter", id="the prefix alone"),
    pytest.param(f"{TOKEN};", "contains characters", id="a semicolon at the end"),
]


def read(**environ: str) -> Settings:
    return read_settings(Flags(), environ, Path("/"))


@pytest.mark.parametrize(("value", "told"), WRONG)
def test_what_cannot_be_a_token_is_named_without_being_shown(value: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"GITLAB_ACCESS_TOKEN {told}") as refused:
        read(GITLAB_ACCESS_TOKEN=value)
    assert value not in str(refused.value)
    assert "this-is-not" not in str(refused.value)


@pytest.mark.parametrize("reference", ["$MY_TOKEN", "${MY_TOKEN}", "${env:MY_TOKEN}", " $MY_TOKEN "])
@pytest.mark.parametrize("name", ["GITLAB_ACCESS_TOKEN", "CI_JOB_TOKEN"])
def test_a_reference_to_a_variable_that_nothing_replaced_is_named(name: str, reference: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is a reference to the variable MY_TOKEN, which nothing replaced"):
        read(**{name: reference})


def test_a_reference_to_itself_counts_as_unset() -> None:
    with pytest.raises(MissingCredential):
        read(GITLAB_ACCESS_TOKEN="${env:GITLAB_ACCESS_TOKEN}")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(TOKEN, id="a usual one"),
        pytest.param("a" * 40, id="without a prefix"),
        pytest.param("glpat-AbCdEfGhIjKlMnOpQrSt.01.0w1bq2c3d", id="routable"),
        pytest.param("acme@corp:=pat/1+AbCdEfGhIjKlMnOpQrSt", id="with a prefix of the administrator's"),
        pytest.param("token-string-here123", id="chosen on the console, as in GitLab's documentation"),
    ],
)
def test_a_token_that_gitlab_may_have_made_is_taken(token: str) -> None:
    assert read(GITLAB_ACCESS_TOKEN=token).credential.token == token


@pytest.mark.parametrize("project", ["app", "https://gitlab.com/group/app", "group/", "a group/app", "group//app"])
@pytest.mark.parametrize("by", ["--project", "GITLAB_PROJECT"])
def test_what_cannot_be_a_project_is_named_with_its_source(by: str, project: str) -> None:
    flags = Flags(project=project) if by == "--project" else Flags()
    environ = {"GITLAB_ACCESS_TOKEN": TOKEN} | ({by: project} if by != "--project" else {})
    with pytest.raises(SettingsError, match=f'{by} is "{project}": set it to the path of a project with its group'):
        read_settings(flags, environ, Path("/"))


@pytest.mark.parametrize(
    ("project", "path"), [("42", "42"), ("group/team/app", "group/team/app"), ("/group/app/", "group/app")]
)
def test_a_project_is_a_path_with_its_group_or_an_id(project: str, path: str) -> None:
    assert read(GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_PROJECT=project).project == path


@pytest.mark.parametrize("handle", ["@", "two words", "@@x", "a,b"])
def test_what_cannot_be_a_handle_is_named(handle: str) -> None:
    with pytest.raises(SettingsError, match=r"GITLAB_MCP_TRIGGER is .* which is not a handle"):
        read(GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_MCP_TRIGGER=handle)
    with pytest.raises(SettingsError, match=r"--trigger is .* which is not a handle"):
        read_settings(Flags(trigger=handle), {"GITLAB_ACCESS_TOKEN": TOKEN}, Path("/"))


ACCESS = Credential("access token", "GITLAB_ACCESS_TOKEN", TOKEN)
JOB = Credential("job token", "CI_JOB_TOKEN", "glcbt-this-is-not-a-real-token")


@pytest.mark.parametrize(
    ("credential", "job_token", "pushes"),
    [(JOB, None, JOB), (ACCESS, JOB, JOB), (ACCESS, None, None)],
    ids=["a job token alone", "an access token beside it", "no job"],
)
def test_git_pushes_with_the_job_token_of_the_run(
    credential: Credential, job_token: Credential | None, pushes: Credential | None
) -> None:
    assert Settings("https://gitlab.example.com", credential, job_token=job_token).push_token is pushes
