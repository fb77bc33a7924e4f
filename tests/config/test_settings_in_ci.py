"""What a job's configuration is, where only flags may permit more; and the bounds of single settings."""

import os
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.environment import flag, secret, variable
from gitlab_mcp.config.settings import (
    Flags,
    MergeRequestElsewhere,
    Settings,
    SettingsError,
    read_settings,
    secrets_of,
)
from gitlab_mcp.git.change import Author
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.tools import TOOLS
from tests.support.agent import connect

TOKEN = "glpat-this-is-not-a-real-token"
JOB = {
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "https://gitlab.example.com",
    "CI_PROJECT_PATH": "acme/app",
    "CI_PROJECT_ID": "1",
    "CI_JOB_TOKEN": "glcbt-64_not-a-real-token",
    "GITLAB_ACCESS_TOKEN": TOKEN,
}
LOCAL = {"GITLAB_ACCESS_TOKEN": TOKEN}
NO_FLAGS = Flags()


def read(environ: dict[str, str], flags: Flags = NO_FLAGS, /, **more: str) -> Settings:
    return read_settings(flags, {**environ, **more}, Path("/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://gitlab.example.com",
        "http://gitlab.example.com:443",
        "https://gitlab.example.com:8443",
        "https://gitlab.example.com:80",
        "https://example.com",
        "https://gitlab.example.com.evil.example",
    ],
)
def test_a_jobs_token_goes_to_no_other_scheme_port_or_host(url: str) -> None:
    with pytest.raises(SettingsError, match="credentials go there only"):
        read(JOB, GITLAB_URL=url)
    with pytest.raises(SettingsError, match="credentials go there only"):
        read(JOB, Flags(url=url))
    assert read({**JOB, "GITLAB_CI": "false"}, GITLAB_URL=url).url == url


@pytest.mark.parametrize(
    "url", ["https://gitlab.example.com:443", "https://GitLab.Example.Com/", "HTTPS://gitlab.example.com"]
)
def test_a_jobs_gitlab_may_be_written_in_another_way(url: str) -> None:
    assert read(JOB, GITLAB_URL=url).url == url.rstrip("/")


def test_secrets_come_longest_first_so_that_none_is_removed_in_part() -> None:
    values = {"A_TOKEN": "12345678", "B_TOKEN": "0123456789", "C_TOKEN": "x123456789y", "D_SECRET": "abcdefghi"}
    assert secrets_of(values) == ("x123456789y", "0123456789", "abcdefghi", "12345678")
    assert secrets_of(dict(reversed(values.items()))) == secrets_of(values)


@pytest.mark.parametrize("own", ["GITLAB_ACCESS_TOKEN", "CI_JOB_TOKEN"])
def test_of_a_secret_that_begins_with_the_runs_own_token_nothing_is_left(own: str) -> None:
    longer = f"{JOB[own]}-and-more"
    settings = read(JOB, DEPLOY_TOKEN=longer)
    assert redact(f"x {longer} y", settings.secret_values) == "x [token removed] y"
    lengths = [len(value) for value in settings.secret_values]
    assert lengths == sorted(lengths, reverse=True)
    assert {JOB[own], longer} <= set(settings.secret_values)


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "MY_TOKEN", "AWS_SECRET", "DB_PASSWORD", "DB_PASSWD", "X_API_KEY", "AWS_ACCESS_KEY", "SSH_PRIVATE_KEY"],
)
def test_a_value_is_a_secret_by_the_end_of_its_variables_name(name: str) -> None:
    assert secrets_of({name: " 12345678\n"}) == ("12345678",)
    assert secrets_of({name: "1234567 "}) == ()
    assert secrets_of({f"{name}_ID": "12345678"}) == ()


@pytest.mark.parametrize("seconds", [0.0, -1.0, -0.001, 3600.5, float("inf"), float("-inf"), float("nan")])
def test_a_deadline_is_more_than_nothing_and_an_hour_at_most(seconds: float) -> None:
    with pytest.raises(SettingsError, match="--deadline"):
        read(LOCAL, Flags(deadline=seconds))


@pytest.mark.parametrize(("seconds", "deadline"), [(None, 60.0), (0.5, 0.5), (3600.0, 3600.0)])
def test_a_deadline_is_sixty_seconds_unless_given(seconds: float | None, deadline: float) -> None:
    assert read(LOCAL, Flags(deadline=seconds)).deadline == deadline


@pytest.mark.parametrize("number", [0, -1, 101])
def test_connections_are_one_at_least_and_a_hundred_at_most(number: int) -> None:
    with pytest.raises(SettingsError, match="--connections"):
        read(LOCAL, Flags(connections=number))


@pytest.mark.parametrize(("number", "connections"), [(None, 32), (1, 1), (100, 100)])
def test_connections_are_thirty_two_unless_given(number: int | None, connections: int) -> None:
    assert read(LOCAL, Flags(connections=number)).connections == connections


OPT_IN = next(tool for tool in TOOLS if tool.opt_in and tool.toolset != "my_work")
DEFAULT = next(tool for tool in TOOLS if not tool.opt_in)


@pytest.mark.parametrize(
    ("environ", "flags", "more", "listed"),
    [
        (JOB, NO_FLAGS, {}, False),
        (JOB, Flags(tools=OPT_IN.name), {}, True),
        (JOB, Flags(toolsets=OPT_IN.toolset), {}, True),
        (JOB, NO_FLAGS, {"GITLAB_MCP_TOOLS": f"{OPT_IN.name},{DEFAULT.name}"}, False),
        (JOB, NO_FLAGS, {"GITLAB_MCP_TOOLSETS": f"default,{OPT_IN.toolset}"}, False),
        (JOB, Flags(toolsets="default"), {"GITLAB_MCP_TOOLS": f"{OPT_IN.name},{DEFAULT.name}"}, False),
        (JOB, Flags(tools=DEFAULT.name), {"GITLAB_MCP_TOOLSETS": f"default,{OPT_IN.toolset}"}, False),
        (JOB, Flags(tools=f"{OPT_IN.name},{DEFAULT.name}"), {"GITLAB_MCP_TOOLSETS": "default"}, False),
        (JOB, Flags(tools=OPT_IN.name), {"GITLAB_MCP_TOOLS": DEFAULT.name}, True),
        (LOCAL, NO_FLAGS, {}, False),
        (LOCAL, NO_FLAGS, {"GITLAB_MCP_TOOLS": OPT_IN.name}, True),
        (LOCAL, NO_FLAGS, {"GITLAB_MCP_TOOLSETS": OPT_IN.toolset}, True),
    ],
    ids=[
        "job",
        "job, --tools",
        "job, --toolsets",
        "job, variable of tools",
        "job, variable of toolsets",
        "job, --toolsets default and variable of tools",
        "job, --tools and variable of toolsets",
        "job, --tools narrowed by the variable of toolsets",
        "job, --tools before the variable",
        "local",
        "local, variable of tools",
        "local, variable of toolsets",
    ],
)
async def test_in_a_job_only_a_flag_lists_opt_in_tools(
    environ: dict[str, str], flags: Flags, more: dict[str, str], listed: bool
) -> None:
    async with connect(read(environ, flags, **more)) as agent:
        tools = {tool.name for tool in (await agent.client.list_tools()).tools}
    assert (OPT_IN.name in tools) is listed
    assert listed or tools


@pytest.mark.parametrize(
    ("name", "value", "setting", "off", "on"),
    [
        ("ALLOW_PROJECT", "acme/lib", "allow_projects", (), ("acme/lib",)),
        ("ALLOW_DEFAULT_BRANCH", "true", "allow_default_branch", False, True),
        ("ALLOW_FILES", "CLAUDE.md", "allow_files", (), ("CLAUDE.md",)),
    ],
)
def test_what_permits_more_is_a_flag_in_a_job(name: str, value: str, setting: str, off: object, on: object) -> None:
    given: dict[str, Any] = {name.lower(): True if on is True else value}
    flags = Flags(**given)
    assert getattr(read(JOB), setting) == off
    assert getattr(read(JOB, **{f"GITLAB_MCP_{name}": value}), setting) == off
    assert getattr(read(JOB, flags), setting) == on
    assert getattr(read(LOCAL, **{f"GITLAB_MCP_{name}": value}), setting) == on
    assert getattr(read(LOCAL, flags), setting) == on


@pytest.mark.parametrize("environ", [JOB, LOCAL], ids=["job", "local"])
@pytest.mark.parametrize("setting", ["read_only", "trusted_only"])
def test_what_permits_less_may_be_a_variable_also_in_a_job(environ: dict[str, str], setting: str) -> None:
    name = f"GITLAB_MCP_{setting.upper()}"
    given: dict[str, Any] = {setting: True}
    assert getattr(read(environ), setting) is False
    assert getattr(read(environ, **{name: "true"}), setting) is True
    assert getattr(read(environ, Flags(**given), **{name: "false"}), setting) is True


PERSON = {"GITLAB_USER_NAME": "Ada L.", "GITLAB_USER_EMAIL": "ada@example.com"}


def test_commits_name_who_started_the_pipeline_and_locally_the_tokens_owner() -> None:
    assert read(JOB, **PERSON).author == Author("Ada L.", "ada@example.com")
    assert read(LOCAL, **PERSON).author is None
    given = Flags(author="Bob <bob@example.com>")
    for environ in (JOB, LOCAL):
        assert read(environ, given, **PERSON).author == Author("Bob", "bob@example.com")


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("", "ada@example.com"),
        ("  ", "ada@example.com"),
        ("Ada", ""),
        ("Ada <x>", "a@b"),
        ("Ada", "a b"),
        ("Ada\nX: y", "a@b"),
        ("A", "a@b>"),
    ],
)
def test_a_name_or_address_that_git_would_misread_is_left_out(name: str, email: str) -> None:
    assert read(JOB, GITLAB_USER_NAME=name, GITLAB_USER_EMAIL=email).author is None


@pytest.mark.parametrize("author", ["Ada", "<ada@example.com>", "Ada <>", "Ada <a b>", "Ada <a@b> x", "A\nB <a@b>"])
def test_an_author_in_another_form_is_an_error(author: str) -> None:
    with pytest.raises(SettingsError, match="--author"):
        read(LOCAL, Flags(author=author))


def test_a_jobs_own_project_is_the_jobs_whatever_else_is_configured() -> None:
    assert read(JOB, Flags(project="other/app")).own_project == ("acme/app", "1")
    assert read(JOB, GITLAB_PROJECT="other/app").project == "other/app"
    assert read(LOCAL, GITLAB_PROJECT="other/app").own_project == ("other/app",)
    for name in ("CI_PROJECT_PATH", "CI_PROJECT_ID"):
        assert any(read({**JOB, name: ""}).own_project)
    with pytest.raises(SettingsError, match="neither CI_PROJECT_PATH nor CI_PROJECT_ID"):
        read({**JOB, "CI_PROJECT_PATH": "", "CI_PROJECT_ID": ""}, Flags(project="acme/app"))


MERGE_REQUEST = {"CI_MERGE_REQUEST_PROJECT_ID": "50", "CI_MERGE_REQUEST_IID": "3"}


@pytest.mark.parametrize(
    ("environ", "more", "elsewhere"),
    [
        (JOB, MERGE_REQUEST, MergeRequestElsewhere("50", "3")),
        (LOCAL, MERGE_REQUEST, None),
        (JOB, {**MERGE_REQUEST, "CI_MERGE_REQUEST_PROJECT_ID": "1"}, None),
        (JOB, {**MERGE_REQUEST, "CI_MERGE_REQUEST_PROJECT_ID": "acme/other"}, None),
        (JOB, {**MERGE_REQUEST, "CI_MERGE_REQUEST_IID": ".*"}, None),
        (JOB, {"CI_MERGE_REQUEST_IID": "3"}, None),
        (JOB, {"CI_MERGE_REQUEST_PROJECT_ID": "50"}, None),
    ],
    ids=["of a fork", "local", "own", "a path", "no number", "without a project", "without a number"],
)
def test_the_merge_request_of_a_forks_pipeline_is_elsewhere(
    environ: dict[str, str], more: dict[str, str], elsewhere: MergeRequestElsewhere | None
) -> None:
    assert read(environ, **more).merge_request == elsewhere


@pytest.mark.parametrize(
    ("flags", "more", "trigger"),
    [
        (NO_FLAGS, {}, "claude"),
        (NO_FLAGS, {"GITLAB_MCP_TRIGGER": "@duo"}, "duo"),
        (Flags(trigger="@bot"), {"GITLAB_MCP_TRIGGER": "duo"}, "bot"),
    ],
)
def test_the_handle_that_starts_a_run(flags: Flags, more: dict[str, str], trigger: str) -> None:
    assert read(JOB, flags, **more).trigger == trigger


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.example.com:0",
        "https://gitlab.example.com/?a=b",
        "https://gitlab.example.com/#x",
        "https://user@gitlab.example.com",
        "https://gitlab.example.com/a/b/c/d/e",
        "https://gitlab.example.com/two words",
        "https://gitlab.example.com//",
    ],
)
def test_an_address_holds_a_host_and_a_short_path_only(url: str) -> None:
    with pytest.raises(SettingsError, match="is not the URL of a GitLab"):
        read(LOCAL, GITLAB_URL=url)


@pytest.mark.parametrize(
    "url",
    ["https://ada:hunter2@gitlab.example.com", "https://gitlab.example.com/?token=hunter2"],
    ids=["password", "query"],
)
def test_an_error_shows_no_password_or_query_of_an_address(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(LOCAL, GITLAB_URL=url)
    assert "hunter2" not in str(refused.value)
    assert "gitlab.example.com" in str(refused.value)


def test_the_job_token_beside_an_access_token_is_kept_for_pushes_in_a_job_only() -> None:
    assert (token := read(JOB).job_token) is not None
    assert token.token == JOB["CI_JOB_TOKEN"]
    assert read({**LOCAL, "CI_JOB_TOKEN": JOB["CI_JOB_TOKEN"]}).job_token is None
    assert read(JOB, CI_JOB_TOKEN="two words").job_token is None


@pytest.mark.parametrize(
    ("value", "found"),
    [("${X}", ""), ("$X", ""), (" x ", "x"), ("${X}y", "${X}y"), ("$X$", "$X$"), ("a$X", "a$X"), ("$", "$")],
)
def test_only_a_whole_reference_to_a_variable_counts_as_unset(value: str, found: str) -> None:
    assert variable({"NAME": value}, "NAME") == found


@pytest.mark.parametrize(
    ("value", "said"),
    [("TRUE", True), ("Yes", True), ("1", True), ("No", False), ("0", False), ("FALSE", False), ("", False)],
)
def test_a_switch_is_read_in_any_case(value: str, said: bool) -> None:
    assert flag({"NAME": value}, "NAME") is said


def test_the_variable_goes_before_the_file_that_its_twin_names(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbf from-file \n")
    environ = {"A_TOKEN_FILE": str(file)}
    assert secret(environ, "A_TOKEN") == "from-file"
    assert secret({**environ, "A_TOKEN": "direct"}, "A_TOKEN") == "direct"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="A_TOKEN_FILE"):
        secret({"A_TOKEN_FILE": str(tmp_path / "pipe")}, "A_TOKEN")


def test_in_a_job_its_checkout_is_the_working_directory_and_locally_it_is_not(tmp_path: Path) -> None:
    checkout = {"CI_PROJECT_DIR": str(tmp_path), "CI_COMMIT_SHA": "0123abcd"}
    found = read(JOB, **checkout).working_directory
    assert found is not None
    assert (found.path, found.project, found.commit) == (tmp_path.resolve(), "acme/app", "0123abcd")
    assert read(LOCAL, **checkout).working_directory is None
    assert read(JOB, CI_PROJECT_DIR=str(tmp_path / "missing")).working_directory is None
