"""Checks of the entry in Claude Code's configuration, and of the server that it starts."""

import json
import pwd
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gitlab_mcp import claude_code
from gitlab_mcp.claude_code import Registration
from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only


def test_a_server_that_is_not_registered_fails_in_a_job(sandbox: Sandbox, place: Place) -> None:
    report = place.examine(place.job(sandbox))
    assert report.of("registered")[0] == "fail"
    assert "/bin/gitlab-mcp-server || true" in report.of("registered")[1]
    assert "connected" not in report.checks
    assert only(place, place.local(sandbox.url), "registered")[0] == "warn"


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"command": "/not/there"}, "fail", "cannot be run"),
        ({"command": "/etc/passwd"}, "fail", "cannot be run"),
        ({"command": None}, "fail", "cannot be run"),
        ({"args": ["-c", "raise SystemExit(3)"]}, "warn", 'lack "serve"'),
        ({"alwaysLoad": None}, "warn", "alwaysLoad"),
        ({"url": "https://mcp.example.com"}, "skipped", "by URL"),
        ({}, "pass", "is registered"),
    ],
)
def test_the_registered_entry_is_held_against_what_works(
    sandbox: Sandbox, place: Place, changes: dict[str, Any], status: str, told: str
) -> None:
    place.registers(**changes)
    found = only(place, place.local(sandbox.url), "registered")
    assert found[0] == status
    assert told in found[1]


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000])
def test_a_configuration_of_claude_that_is_no_json_fails(place: Place, nowhere: str, text: str) -> None:
    (place.home / ".claude.json").write_text(text)
    report = place.examine(place.local(nowhere))
    assert report.of("registered")[0] == "fail"
    assert "is not valid JSON" in report.of("registered")[1]
    assert "connected" not in report.checks


@pytest.mark.parametrize("text", ["[]", "null", '{"mcpServers": 3}', '{"mcpServers": {"gitlab": "x"}}'])
def test_a_configuration_of_claude_in_another_form_has_no_server(place: Place, nowhere: str, text: str) -> None:
    (place.home / ".claude.json").write_text(text)
    assert only(place, place.local(nowhere), "registered")[0] == "warn"


def test_the_entry_for_this_directory_comes_before_the_users(place: Place, nowhere: str) -> None:
    entry = {"command": "/not/there", "args": ["serve"]}
    written = {"projects": {str(place.directory): {"mcpServers": {"gitlab": entry}}}}
    (place.home / ".claude.json").write_text(json.dumps(written))
    assert only(place, place.local(nowhere), "registered")[0] == "fail"


def test_a_folder_of_claudes_own_is_where_the_entry_is_looked_for(sandbox: Sandbox, place: Place) -> None:
    place.registers(folder=place.programs)
    environ = place.local(sandbox.url, CLAUDE_CONFIG_DIR=str(place.programs))
    assert only(place, environ, "registered")[0] == "pass"


def test_without_home_the_entry_is_looked_for_where_a_bare_start_writes_it(
    sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir=str(place.home)))
    job = place.job(sandbox)
    del job["HOME"]
    assert f"{place.home}/.claude.json has no server gitlab" in only(place, job, "registered")[1]
    place.registers()
    status, told = only(place, job, "registered")
    assert status == "pass"
    assert f"{place.home}/.claude.json" in told


def test_a_user_who_has_no_home_at_all_is_told_to_set_one(
    sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    job = place.job(sandbox)
    del job["HOME"]
    report = place.examine(job)
    status, told = report.of("registered")
    assert status == "fail"
    assert "set HOME to a folder that it owns" in told
    assert "connected" not in report.checks


def test_a_file_of_claudes_old_name_is_looked_into_as_long_as_it_is_in_use(sandbox: Sandbox, place: Place) -> None:
    legacy = place.home / ".claude" / ".config.json"
    legacy.parent.mkdir()
    legacy.write_text("{}")
    local = place.local(sandbox.url)
    assert "~/.claude/.config.json has no server gitlab" in only(place, local, "registered")[1]
    place.enters("user")
    assert "gitlab" in legacy.read_text()
    report = place.examine(local)
    assert report.of("registered") == ("pass", "gitlab is registered in ~/.claude/.config.json | ")
    assert "connected" in report.checks


def test_an_entry_for_the_checkout_is_found_from_a_folder_inside_it(sandbox: Sandbox, place: Place) -> None:
    inside = place.directory / "packages" / "one"
    inside.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(place.directory)], check=True)
    place.enters("local", inside)
    local = place.local(sandbox.url)
    assert only(place, local, "registered")[0] == "pass"
    place.directory = inside
    assert only(place, local, "registered")[0] == "pass"


def test_a_local_remedy_names_the_scope_of_the_entry_that_is_wrong(sandbox: Sandbox, place: Place) -> None:
    local = place.local(sandbox.url)
    for scope in ("project", "local"):
        place.enters(scope, command="/not/there")
        status, told = only(place, local, "registered")
        assert status == "fail"
        assert f"gitlab-mcp-server register --scope {scope}" in told


def test_an_entry_in_the_projects_mcp_json_passes_locally_with_a_remark(sandbox: Sandbox, place: Place) -> None:
    place.enters("project", command=claude_code.own_command())
    local = place.local(sandbox.url)
    report = place.examine(local)
    status, told = report.of("registered")
    assert status == "pass"
    assert "gitlab is registered in the project's .mcp.json: claude -p takes it" in told
    assert " tools" in report.of("connected")[1]
    inside = place.directory / "packages"
    inside.mkdir()
    place.directory = inside
    assert only(place, local, "registered")[0] == "pass"


def test_in_a_job_an_entry_in_the_projects_mcp_json_warns_until_it_is_disabled(sandbox: Sandbox, place: Place) -> None:
    place.enters("project")
    job = place.job(sandbox)
    status, told = only(place, job, "registered")
    assert status == "warn"
    assert "disables the servers of the checkout's .mcp.json" in told
    assert "/bin/gitlab-mcp-server || true" in told
    place.enters("user")
    assert only(place, job, "registered")[0] == "warn", "the checkout's comes first"
    claude_code.disable_project_servers(["gitlab"], job, place.directory)
    assert only(place, job, "registered") == ("pass", "gitlab is registered in ~/.claude.json | ")


@pytest.mark.parametrize("settings", [".claude/settings.json", ".claude/settings.local.json"])
def test_a_server_of_the_project_that_was_declined_does_not_count(
    sandbox: Sandbox, place: Place, settings: str
) -> None:
    place.enters("project")
    (place.directory / ".claude").mkdir()
    (place.directory / settings).write_text(json.dumps({"disabledMcpjsonServers": ["gitlab"]}))
    assert only(place, place.local(sandbox.url), "registered")[0] == "warn"


def test_what_somebody_else_wrote_into_the_projects_mcp_json_is_not_started(sandbox: Sandbox, place: Place) -> None:
    mark = place.home / "started"
    entry = {"command": "/bin/sh", "args": ["-c", f"touch {mark}", "serve"], "alwaysLoad": True}
    own = Registration(claude_code.own_command()).entry()
    for stranger in (entry, {**own, "args": [*own["args"], "--url=http://127.0.0.1:9"]}):
        (place.directory / ".mcp.json").write_text(json.dumps({"mcpServers": {"gitlab": stranger}}))
        for environ in (place.local(sandbox.url), place.job(sandbox)):
            status, told = only(place, environ, "connected")
            assert status == "skipped"
            assert "is not started here" in told
    assert not mark.exists()


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"mcpServers": {"gitlab": 3}}'])
def test_a_projects_mcp_json_that_names_no_server_is_passed_over(sandbox: Sandbox, place: Place, text: str) -> None:
    (place.directory / ".mcp.json").write_text(text)
    place.enters("user")
    assert only(place, place.job(sandbox), "registered")[0] == "pass"


def test_variables_in_the_entry_are_put_in_as_claude_does(sandbox: Sandbox, place: Place) -> None:
    arguments = ["-m", "${PACKAGE:-gitlab_mcp}", "serve"]
    place.registers(command="${PYTHON}", args=arguments, env={"GITLAB_ACCESS_TOKEN": "${ELSEWHERE_TOKEN}"})
    environ = place.local(sandbox.url, PYTHON=sys.executable, ELSEWHERE_TOKEN=sandbox.tokens["developer"])
    assert only(place, environ, "connected")[0] == "pass"


def test_a_server_that_does_not_start_is_shown_with_its_last_line_but_no_secret(sandbox: Sandbox, place: Place) -> None:
    script = "import os, sys; print('no', os.environ['GITLAB_ACCESS_TOKEN'], file=sys.stderr); sys.exit(3)"
    place.registers(args=["-c", script, "serve"])
    status, told = only(place, place.local(sandbox.url), "connected")
    assert status == "fail"
    assert '("no [token removed]")' in told


@pytest.mark.parametrize(
    "script",
    [
        "print('hello')",
        'input(); print(\'{"id": 1, "error": {}}\')',
        'input(); print(\'{"id": 1, "result": {}}\'); input(); input(); print(\'{"id": 2, "result": {"tools": 3}}\')',
    ],
)
def test_a_registered_program_that_is_no_mcp_server_fails(sandbox: Sandbox, place: Place, script: str) -> None:
    place.registers(args=["-c", script, "serve"])
    assert only(place, place.local(sandbox.url), "connected")[0] == "fail"
