"""What a run is configured with, from flags, environment and the working directory."""

import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.config.checkout import project_of_remote
from gitlab_mcp.config.settings import Flags, MissingCredential, Settings, SettingsError, read_settings

TOKEN = "glpat-this-is-not-a-real-token"


NO_FLAGS = Flags()


def read(tmp_path: Path, flags: Flags = NO_FLAGS, /, **environ: str) -> Settings:
    return read_settings(flags, environ, tmp_path)


def test_without_a_credential_the_error_names_the_variables(tmp_path: Path) -> None:
    with pytest.raises(MissingCredential, match=r"GITLAB_ACCESS_TOKEN.*CI_JOB_TOKEN"):
        read(tmp_path)


@pytest.mark.parametrize("value", ["", "   ", "${GITLAB_ACCESS_TOKEN}", "$GITLAB_ACCESS_TOKEN"])
def test_an_empty_value_or_an_unexpanded_variable_counts_as_unset(tmp_path: Path, value: str) -> None:
    with pytest.raises(MissingCredential, match="No GitLab credential"):
        read(tmp_path, GITLAB_ACCESS_TOKEN=value)


def test_outside_ci_the_other_usual_variables_hold_a_token_and_inside_they_do_not(tmp_path: Path) -> None:
    assert read(tmp_path, GITLAB_TOKEN=TOKEN).credential.variable == "GITLAB_TOKEN"
    inside = read(tmp_path, GITLAB_TOKEN=TOKEN, GITLAB_CI="true", CI_PROJECT_PATH="g/a", CI_JOB_TOKEN="glcbt-job")
    assert inside.credential.variable == "CI_JOB_TOKEN"


def test_a_job_token_is_known_by_its_prefix_or_its_value_whatever_its_variable(tmp_path: Path) -> None:
    assert read(tmp_path, GITLAB_ACCESS_TOKEN="glcbt-64_x").credential.kind == "job token"
    assert read(tmp_path, GITLAB_ACCESS_TOKEN="same", CI_JOB_TOKEN="same").credential.kind == "job token"


def test_the_order_of_credentials_is_access_flow_job(tmp_path: Path) -> None:
    every = {"GITLAB_ACCESS_TOKEN": TOKEN, "AI_FLOW_GITLAB_TOKEN": "flow", "CI_JOB_TOKEN": "job"}
    assert read(tmp_path, **every).credential.kind == "access token"
    del every["GITLAB_ACCESS_TOKEN"]
    assert read(tmp_path, **every).credential.kind == "flow token"
    del every["AI_FLOW_GITLAB_TOKEN"]
    assert read(tmp_path, **every).credential.kind == "job token"


def test_a_token_can_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read(tmp_path, GITLAB_ACCESS_TOKEN_FILE=str(file)).credential.token == TOKEN
    with pytest.raises(SettingsError, match="GITLAB_ACCESS_TOKEN_FILE"):
        read(tmp_path, GITLAB_ACCESS_TOKEN_FILE=str(tmp_path / "missing"))


def test_a_token_with_a_line_end_inside_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="copy the token again") as refused:
        read(tmp_path, GITLAB_ACCESS_TOKEN="glpat-one\nglpat-two")
    assert "glpat" not in str(refused.value)


def test_no_repr_shows_the_token(tmp_path: Path) -> None:
    assert TOKEN not in repr(read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN))


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "https://gitlab.com"),
        ({"CI_API_V4_URL": "https://ci.example.com/gitlab/api/v4"}, "https://ci.example.com/gitlab"),
        (
            {"CI_SERVER_URL": "https://ci.example.com", "CI_API_V4_URL": "https://other/api/v4"},
            "https://ci.example.com",
        ),
        ({"GITLAB_URL": "https://git.example.com/gitlab/"}, "https://git.example.com/gitlab"),
        ({"GITLAB_URL": "https://git.example.com/api/v4"}, "https://git.example.com"),
    ],
)
def test_which_gitlab_it_is(tmp_path: Path, environ: dict[str, str], url: str) -> None:
    assert read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN, **environ).url == url


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    flags = Flags(url="https://flag.example.com", project="flag/app")
    found = read(tmp_path, flags, GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_URL="https://env.example.com", GITLAB_PROJECT="e/a")
    assert (found.url, found.project) == ("https://flag.example.com", "flag/app")


@pytest.mark.parametrize(
    "url",
    [
        "gitlab.example.com",
        "ftp://x",
        "https://",
        "https://u:p@gitlab.example.com",
        "https://h:abc",
        "http://[::1",
        "https://h:99999",
    ],
)
def test_a_url_that_is_no_gitlab_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="is not the URL of a GitLab") as refused:
        read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_URL=url)
    assert "u:p" not in str(refused.value)


def test_in_ci_another_gitlab_than_the_jobs_own_is_refused(tmp_path: Path) -> None:
    ci = {"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_PROJECT_PATH": "g/a"}
    ci["CI_JOB_TOKEN"] = "glcbt-x"
    with pytest.raises(SettingsError, match="credentials go there only"):
        read(tmp_path, GITLAB_URL="https://evil.example.com", **ci)
    assert read(tmp_path, GITLAB_URL="https://gitlab.example.com/", **ci).url == "https://gitlab.example.com"


def test_a_ca_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GITLAB_CA_FILE names"):
        read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_CA_FILE=str(tmp_path / "missing.pem"))


def test_a_switch_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_MCP_READ_ONLY="true").read_only
    with pytest.raises(SettingsError, match="GITLAB_MCP_READ_ONLY"):
        read(tmp_path, GITLAB_ACCESS_TOKEN=TOKEN, GITLAB_MCP_READ_ONLY="perhaps")


@pytest.mark.parametrize(
    ("remote", "project"),
    [
        ("https://gitlab.example.com/sub/group/app.git", "group/app"),
        ("https://user:secret@gitlab.example.com/sub/group/app", "group/app"),
        ("git@gitlab.example.com:group/team/app.git", "group/team/app"),
        ("ssh://git@gitlab.example.com:2222/group/app.git", "group/app"),
        ("https://gitlab.example.com/elsewhere/app.git", ""),
        ("https://gitlab.example.com:8443/sub/group/app.git", ""),
        ("https://github.com/group/app.git", ""),
        ("git@github.com:group/app.git", ""),
        ("../relative/path", ""),
        ("https://host:99999/x/y.git", ""),
        ("", ""),
    ],
)
def test_the_project_that_a_remote_names(remote: str, project: str) -> None:
    assert project_of_remote(remote, "https://gitlab.example.com/sub") == project


def test_the_project_and_working_directory_come_from_origin_also_in_a_folder_below(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    origin = ["config", "remote.origin.url", "git@gitlab.com:group/app.git"]
    subprocess.run(["git", "-C", str(tmp_path), *origin], check=True)
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    found = read(below, GITLAB_ACCESS_TOKEN=TOKEN)
    assert found.project == "group/app"
    assert found.working_directory is not None
    assert found.working_directory.path == tmp_path.resolve()


def test_in_ci_the_working_directory_is_the_jobs_checkout(tmp_path: Path) -> None:
    ci = {"GITLAB_CI": "true", "CI_PROJECT_DIR": str(tmp_path), "CI_PROJECT_PATH": "group/app", "CI_JOB_TOKEN": "x"}
    found = read(tmp_path, **ci)
    assert found.working_directory is not None
    assert (found.working_directory.path, found.working_directory.project) == (tmp_path.resolve(), "group/app")
