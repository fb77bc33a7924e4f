"""The server's entry in Claude Code's configuration: its command, its flags and its scope."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gitlab_mcp.claude_code import Registration, flag_arguments, own_command
from gitlab_mcp.cli.options import CONFIGURATION
from gitlab_mcp.cli.register import register, unregister
from gitlab_mcp.config.settings import Flags
from tests.support.local_machine import TOKEN, LocalMachine, mode, read
from tests.support.paths import REPOSITORY


def is_checkout(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    return folder


def test_register_writes_an_absolute_command_with_serve_and_the_flags_and_no_secret(local: LocalMachine) -> None:
    said = local.run("register", "--read-only", "--project", "acme/app", "--deadline", "30")
    assert str(local.file) in said
    assert "claude mcp list" in said
    assert len(said.splitlines()) == 1
    entry = read(local.file)["mcpServers"].pop("gitlab")
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-4:] == ["serve", "--project=acme/app", "--read-only", "--deadline=30"]
    assert (entry["type"], entry["env"], entry["alwaysLoad"]) == ("stdio", {}, True)
    assert mode(local.file) == 0o600
    assert local.everything() == {".claude.json"}
    assert TOKEN not in local.file.read_text()


def test_in_local_scope_the_entry_stands_under_the_checkout(local: LocalMachine) -> None:
    inside = is_checkout(local.work) / "src" / "deep"
    inside.mkdir(parents=True)
    local.file.write_text('{"projects": {"/other": {"x": 1}}, "mcpServers": {}}')
    said = local.run("register", "--scope", "local", cwd=str(inside))
    assert "local scope" in said
    written = read(local.file)
    assert list(written["projects"]) == ["/other", str(local.work)]
    assert "gitlab" in written["projects"][str(local.work)]["mcpServers"]
    assert written["mcpServers"] == {}
    local.run("unregister", "--scope", "local")
    assert read(local.file)["projects"][str(local.work)] == {"mcpServers": {}}


def test_in_local_scope_a_linked_work_tree_counts_as_its_main_one(local: LocalMachine, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        subprocess.run(["git", *who, *arguments], cwd=local.work, env=local.environ, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "--message", "Begin")
    git("worktree", "add", str(tmp_path / "linked"))
    local.run("register", "--scope", "local", cwd=str(tmp_path / "linked"))
    assert list(read(local.file)["projects"]) == [str(local.work)]


def test_in_project_scope_the_entry_stands_in_the_working_directory(local: LocalMachine) -> None:
    local.run("register", "--scope", "project")
    assert "gitlab" in read(local.work / ".mcp.json")["mcpServers"]
    assert mode(local.work / ".mcp.json") == 0o644
    assert local.everything() == set()
    assert "Removed" in local.run("unregister", "--scope", "project")
    assert read(local.work / ".mcp.json") == {"mcpServers": {}}


def test_a_project_file_that_leads_out_of_its_folder_is_not_written(local: LocalMachine) -> None:
    (local.work / ".mcp.json").symlink_to(local.settings)
    assert "leads out of its folder" in local.fail("register", "--scope", "project")
    assert local.everything() == set()
    (local.work / ".mcp.json").unlink()
    (local.work / ".mcp.json").symlink_to("servers.json")
    local.run("register", "--scope", "project")
    assert "gitlab" in read(local.work / "servers.json")["mcpServers"]


def test_print_gives_the_entry_for_other_clients_and_writes_nothing(local: LocalMachine) -> None:
    printed = json.loads(local.run("register", "--print", "--allow-files", ".gitlab-ci.yml"))
    assert printed["mcpServers"]["gitlab"]["args"][-2:] == ["serve", "--allow-files=.gitlab-ci.yml"]
    assert local.everything() == set()


@pytest.mark.parametrize("flag", [f"--project={TOKEN}", f"--author=N {TOKEN} <n@example.com>"])
def test_a_flag_that_holds_a_secret_is_refused_and_not_shown(local: LocalMachine, flag: str) -> None:
    told = local.fail("register", flag)
    assert flag.split("=")[0] in told
    assert TOKEN not in told
    assert local.everything() == set()


def test_a_secret_of_another_kind_is_refused_without_a_credential_too(local: LocalMachine) -> None:
    with local.start(
        "register", "--trigger=s3cret-s3cret", GITLAB_ACCESS_TOKEN="", X_PASSWORD="s3cret-s3cret"
    ) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--trigger contains a secret" in stderr


def test_a_flag_that_claude_code_would_expand_is_refused(local: LocalMachine) -> None:
    assert "--project contains ${...}" in local.fail("register", "--project", "${CI_JOB_TOKEN}")


def test_flags_that_cannot_be_used_are_not_registered(local: LocalMachine) -> None:
    assert "is not the URL of a GitLab" in local.fail("register", "--url", "nowhere")
    assert local.everything() == set()


def test_without_a_credential_it_is_registered_all_the_same_and_said(local: LocalMachine) -> None:
    with local.start("register", GITLAB_ACCESS_TOKEN="") as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "No GitLab credential" in stderr
    assert local.file.exists()


def test_every_option_comes_back_from_the_arguments_as_it_was_given() -> None:
    seen: list[Flags] = []

    @click.command()
    def serve(**flags: Any) -> None:
        seen.append(Flags(**flags))

    for option in CONFIGURATION:
        option(serve)
    flags = Flags(
        url="https://gitlab.example.com",
        project="--read-only",
        read_only=True,
        toolsets="a,b",
        tools="c",
        allow_project="x/y, z",
        allow_default_branch=True,
        allow_files="*.yml",
        trusted_only=True,
        trigger="@bot",
        author='Änn "A" <a@example.com>',
        not_secret="POSTGRES_PASSWORD",
        deadline=2.5,
        connections=8,
        no_instant_start=True,
    )
    assert all(vars(flags).values()), "every flag is given here"
    CliRunner().invoke(serve, flag_arguments(flags, ()), catch_exceptions=False)
    assert seen == [flags]
    assert flag_arguments(Flags(), ()) == ()


def test_flags_before_the_name_of_the_command_count_too(local: LocalMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_ACCESS_TOKEN", TOKEN)
    monkeypatch.delenv("GITLAB_CI", raising=False)
    monkeypatch.chdir(local.work)
    printed = CliRunner().invoke(register, ["--print", "--read-only"], obj=Flags(project="acme/app"))
    entry = json.loads(printed.output)["mcpServers"]["gitlab"]
    assert entry["args"][-3:] == ["serve", "--project=acme/app", "--read-only"]


@pytest.mark.parametrize("started", ["{folder}/gitlab-mcp-server", "./gitlab-mcp-server", "gitlab-mcp-server"])
def test_the_running_command_is_registered_by_its_path_and_not_by_a_links_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str
) -> None:
    real = tmp_path / "real"
    real.write_text("")
    real.chmod(0o755)
    link = tmp_path / "gitlab-mcp-server"
    link.symlink_to(real)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [started.format(folder=tmp_path)])
    assert own_command() == str(link)


@pytest.mark.parametrize("started", ["/x/gitlab_mcp/__main__.py", "/absent/gitlab-mcp-server", "-c"])
def test_without_a_command_that_exists_this_python_is_registered(monkeypatch: pytest.MonkeyPatch, started: str) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    assert own_command() == sys.executable


def test_what_is_registered_as_a_python_module_imports_nothing_from_the_checkout(local: LocalMachine) -> None:
    entry = Registration(sys.executable).entry()
    for name in ("gitlab_mcp.py", "click.py"):
        (local.work / name).write_text("raise SystemExit('the code of a stranger')")
    command = [entry["command"], *entry["args"], "--help"]
    done = subprocess.run(command, cwd=local.work, env=local.environ, capture_output=True, text=True, check=False)
    assert "stranger" not in done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", [register, unregister])
def test_help_lists_the_options(command: Any) -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "--scope" in shown
    assert ("--read-only" in shown) == (command is register)


def test_the_commands_import_nothing_heavy() -> None:
    heavy = ("mcp", "gitlab", "requests", "pydantic", "starlette", "uvicorn")
    code = (
        "import sys, gitlab_mcp.cli.register, gitlab_mcp.claude_code, gitlab_mcp.safety.sanitize\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
