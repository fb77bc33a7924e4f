"""Registration in Claude Code's configuration, and what a checkout can make Claude Code do."""

import json
import os
import pwd
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gitlab_mcp.claude_code import (
    Registration,
    RegistrationError,
    disable_project_servers,
    flag_arguments,
    obeyed_files,
    own_command,
    project_servers,
)
from gitlab_mcp.claude_code import register as register_at
from gitlab_mcp.claude_code.json_file import user_file
from gitlab_mcp.cli.options import CONFIGURATION
from gitlab_mcp.cli.register import register, unregister
from gitlab_mcp.config.settings import Flags
from tests.support.paths import REPOSITORY

TOKEN = "glpat-this-is-not-a-real-token"
SERVE = {"type": "stdio", "command": "/opt/gitlab-mcp-server", "args": ["serve"], "env": {}, "alwaysLoad": True}
KEPT = """{
\t"numStartups": 7,
\t"größe": "日本 \\ud83d\\ude00 \\udc00",
\t"z": {"b": [1, 2.5, null, true, {}], "a": 123456789012345678901234567890},
\t"mcpServers": {
\t\t"other": {"command": "/bin/true"}, "gitlab": {"command": "/an/old/one"}, "last": {"type": "http", "url": "x"}
\t},
\t"projects": {"/elsewhere": {"mcpServers": {"gitlab": {"command": "theirs"}}}},
\t"a": ""
}"""
BROKEN = {
    "cut off": b'{"mcpServers": {',
    "text": b"hello",
    "a list": b"[]",
    "null": b"null",
    "not a number": b'{"a": NaN}',
    "not UTF-8": b'{"a": "\xff"}',
    "endless": b"[" * 100_000,
    "servers that are no object": b'{"mcpServers": []}',
    "servers that are null": b'{"mcpServers": null}',
}


class LocalMachine:
    """A HOME, a working directory, and the command line between them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GITLAB_ACCESS_TOKEN": TOKEN}

    @property
    def file(self) -> Path:
        return self.home / ".claude.json"

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def start(self, command: str, *arguments: str, cwd: str = "", **environ: str) -> subprocess.Popen[str]:
        code = f"from gitlab_mcp.cli.register import {command}; {command}()"
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**self.environ, "PYTHONPATH": str(REPOSITORY), **environ},
            cwd=cwd or self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments: str, cwd: str = "", **environ: str) -> str:
        """What the command prints; it must succeed."""
        with self.start(command, *arguments, cwd=cwd, **environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        return stdout

    def fail(self, command: str, *arguments: str, **environ: str) -> str:
        """The one line with which the command fails."""
        with self.start(command, *arguments, **environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (2, ""), stderr
        [line] = stderr.splitlines()
        assert line.startswith("gitlab-mcp-server: ")
        return line

    def everything(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*")}


@pytest.fixture
def local(tmp_path: Path) -> LocalMachine:
    return LocalMachine(tmp_path)


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def pairs(text: str) -> Any:
    """JSON with the order of its keys."""
    return json.loads(text, object_pairs_hook=lambda found: [list(pair) for pair in found])


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


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


def test_everything_else_in_the_file_is_kept_in_its_order(local: LocalMachine) -> None:
    local.file.write_text(KEPT)
    local.file.chmod(0o640)
    register_at(Registration("/opt/gitlab-mcp-server"), "user", local.environ, local.work)
    written = local.file.read_text()
    expected = KEPT.replace('{"command": "/an/old/one"}', json.dumps(SERVE))
    assert pairs(written) == pairs(expected)
    assert "größe" in written
    assert "日本" in written
    assert written.startswith('{\n\t"numStartups"')
    assert written.endswith("}")
    assert mode(local.file) == 0o640


def test_an_entry_that_is_equal_already_is_not_written_again(local: LocalMachine) -> None:
    local.file.write_text(json.dumps({"mcpServers": {"gitlab": SERVE}}))
    before = local.file.stat()
    register_at(Registration("/opt/gitlab-mcp-server"), "user", local.environ, local.work)
    after = local.file.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    register_at(Registration("/opt/gitlab-mcp-server", ("--read-only",)), "user", local.environ, local.work)
    assert read(local.file)["mcpServers"]["gitlab"]["args"] == ["serve", "--read-only"]


@pytest.mark.parametrize("content", [b"", b" \n", b"{}", b"\xef\xbb\xbf{}"])
def test_an_empty_file_is_filled(local: LocalMachine, content: bytes) -> None:
    local.file.write_bytes(content)
    register_at(Registration("/opt/gitlab-mcp-server"), "user", local.environ, local.work)
    assert read(local.file) == {"mcpServers": {"gitlab": SERVE}}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("command", ["register", "unregister"])
def test_a_broken_file_is_left_alone_with_a_sentence_that_names_it(
    local: LocalMachine, command: str, content: bytes
) -> None:
    local.file.write_bytes(content)
    told = local.fail(command)
    assert str(local.file) in told
    assert "correct it or" in told
    assert local.file.read_bytes() == content
    assert local.everything() == {".claude.json"}


def test_a_link_is_written_through_to_its_target(local: LocalMachine) -> None:
    target = local.work / "real.json"
    target.write_text('{"a": 1}')
    local.file.symlink_to(target)
    local.run("register")
    assert local.file.is_symlink()
    assert list(read(target)) == ["a", "mcpServers"]


def test_a_link_to_nothing_makes_its_target(local: LocalMachine) -> None:
    local.file.symlink_to(local.work / "absent" / "real.json")
    local.run("register")
    assert "gitlab" in read(local.work / "absent" / "real.json")["mcpServers"]


def test_a_link_to_itself_fails_with_a_sentence(local: LocalMachine) -> None:
    local.file.symlink_to(local.file)
    assert str(local.file) in local.fail("register")


def test_a_home_that_cannot_be_written_fails_with_a_sentence_that_says_what_to_do(local: LocalMachine) -> None:
    (local.work / "file").write_text("")
    for home in (str(local.work / "file"), "/sys"):
        told = local.fail("register", HOME=home)
        assert f"{home}/.claude.json cannot be changed" in told
        assert "CLAUDE_CONFIG_DIR" in told


def test_claude_config_dir_moves_the_file(local: LocalMachine, tmp_path: Path) -> None:
    config = tmp_path / "new" / "config"
    local.run("register", CLAUDE_CONFIG_DIR=str(config))
    assert "gitlab" in read(config / ".claude.json")["mcpServers"]
    assert local.everything() == set()
    local.run("register", CLAUDE_CONFIG_DIR="")
    assert local.everything() == {".claude.json"}


def test_a_file_of_the_old_name_is_used_where_claude_code_uses_it(local: LocalMachine) -> None:
    old = local.home / ".claude" / ".config.json"
    old.parent.mkdir()
    old.write_text("")
    assert user_file(local.environ) == local.file
    old.write_text("{}")
    assert user_file(local.environ) == old


def test_without_home_the_users_own_is_taken() -> None:
    assert user_file({}) == Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".claude.json"
    assert user_file({"HOME": ""}) == user_file({})


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


def test_unregister_removes_the_entry_and_nothing_else(local: LocalMachine) -> None:
    assert "Nothing to remove" in local.run("unregister")
    assert local.everything() == set()
    local.file.write_text(KEPT)
    assert local.run("unregister") == "Removed gitlab (user scope).\n"
    assert pairs(local.file.read_text()) == pairs(KEPT.replace('"gitlab": {"command": "/an/old/one"}, ', ""))
    before = local.file.stat().st_mtime_ns
    assert "Nothing to remove" in local.run("unregister")
    assert local.file.stat().st_mtime_ns == before


def test_print_gives_the_entry_for_other_clients_and_writes_nothing(local: LocalMachine) -> None:
    printed = json.loads(local.run("register", "--print", "--allow-files", ".gitlab-ci.yml"))
    assert printed["mcpServers"]["gitlab"]["args"][-2:] == ["serve", "--allow-files=.gitlab-ci.yml"]
    assert local.everything() == set()


def test_twenty_registrations_at_once_lose_nothing_of_each_other_nor_of_claude_code(local: LocalMachine) -> None:
    local.file.write_text('{"count": 0}')
    done = threading.Event()

    def rewrite_as_claude_code_does() -> int:
        """Count in the file while it is locked, again and again, and let others in between; how often."""
        times = 0
        lock = local.file.with_name(".claude.json.lock")
        while not done.wait(0.002):
            try:
                lock.mkdir()
            except FileExistsError:
                continue
            document = read(local.file)
            document["count"] += 1
            fresh = local.file.with_name(".claude.json.tmp")
            fresh.write_text(json.dumps(document))
            fresh.replace(local.file)
            lock.rmdir()
            times += 1
        return times

    counted: list[int] = []
    client = threading.Thread(target=lambda: counted.append(rewrite_as_claude_code_does()))
    client.start()
    folders = [local.work / str(number) for number in range(18)]
    for folder in folders:
        folder.mkdir()
    started = [local.start("register", "--scope", "local", cwd=str(folder)) for folder in folders]
    started += [local.start("register"), local.start("register", "--read-only")]
    for process in started:
        with process:
            assert process.communicate(timeout=120)[1] == ""
            assert process.returncode == 0
    done.set()
    client.join()
    written = read(local.file)
    assert set(written["projects"]) == {str(folder) for folder in folders}
    assert "gitlab" in written["mcpServers"]
    assert [written["count"]] == counted
    assert local.everything() == {".claude.json"}


def test_a_stale_lock_is_removed_and_one_that_is_held_delays_for_a_second(local: LocalMachine) -> None:
    lock = local.file.with_name(".claude.json.lock")
    lock.mkdir()
    os.utime(lock, (0, 0))
    local.run("register")
    assert not lock.exists()
    lock.mkdir()
    before = time.monotonic()
    register_at(Registration("/opt/gitlab-mcp-server"), "user", local.environ, local.work)
    assert 0.9 < time.monotonic() - before < 4
    assert read(local.file)["mcpServers"]["gitlab"] == SERVE
    assert lock.exists()


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
        deadline=2.5,
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


def test_the_running_command_is_registered_by_its_path_and_not_by_a_links_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    real.write_text("")
    real.chmod(0o755)
    link = tmp_path / "gitlab-mcp-server"
    link.symlink_to(real)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for started in (str(link), "./gitlab-mcp-server", "gitlab-mcp-server"):
        monkeypatch.setattr(sys, "argv", [started])
        assert own_command() == str(link)
    for started in ("/x/gitlab_mcp/__main__.py", "/absent/gitlab-mcp-server", "-c"):
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


# A checkout


def servers(*names: str) -> str:
    return json.dumps({"mcpServers": {name: {"command": "/bin/false"} for name in names}}, ensure_ascii=False)


def job(local: LocalMachine) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "CI_SERVER_URL": "https://gitlab.example.com",
        "CI_PROJECT_PATH": "acme/app",
        "CI_PROJECT_DIR": str(local.work),
        "CI_JOB_TOKEN": "job-token-of-nobody",
    }


def test_in_ci_each_name_in_the_checkouts_file_is_disabled_and_printed_visibly(
    local: LocalMachine,
) -> None:
    names = ["gitlab", "a\x1b[31m\u202eb\nline", *(f"n{number}" for number in range(20))]
    (local.work / ".mcp.json").write_text(servers(*names))
    local.settings.parent.mkdir()
    local.settings.write_text(
        '{"model": "ü", "disabledMcpjsonServers": ["n3", 7], "enabledMcpjsonServers": ["gitlab"]}'
    )
    said = local.run("register", **job(local))
    assert len(said.splitlines()) == 2
    assert '"gitlab", "ab line", "n0"' in said
    assert "and 12 more" in said
    assert "--trust-project-mcp" in said
    written = read(local.settings)
    rest = [name for name in names if name != "n3"]
    assert written == {
        "model": "ü",
        "disabledMcpjsonServers": ["n3", 7, *rest],
        "enabledMcpjsonServers": ["gitlab"],
    }
    before = local.settings.stat().st_mtime_ns
    assert local.run("register", **job(local)) == said
    assert local.settings.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "is_job"), [(["--trust-project-mcp"], True), (["--scope", "project"], True), ([], False)]
)
def test_nothing_is_disabled_where_it_is_trusted_or_outside_ci(
    local: LocalMachine, arguments: list[str], is_job: bool
) -> None:
    (local.work / ".mcp.json").write_text(servers("gitlab"))
    said = local.run("register", *arguments, **(job(local) if is_job else {}))
    assert "Disabled" not in said
    assert not local.settings.exists()


def test_names_are_disabled_in_the_folder_that_claude_config_dir_names(local: LocalMachine, tmp_path: Path) -> None:
    config = tmp_path / "config"
    environ = {**local.environ, "CLAUDE_CONFIG_DIR": str(config)}
    assert disable_project_servers([], environ) == []
    assert not config.exists()
    assert disable_project_servers(["b", "a", "b", "\ud800"], environ) == ["b", "a", "\ud800"]
    assert read(config / "settings.json") == {"disabledMcpjsonServers": ["b", "a", "\ud800"]}
    assert mode(config / "settings.json") == 0o600
    assert local.everything() == set()


@pytest.mark.parametrize("content", ["{", "[]", '{"disabledMcpjsonServers": "x"}', '{"disabledMcpjsonServers": null}'])
def test_broken_settings_are_left_alone_with_a_sentence(local: LocalMachine, content: str) -> None:
    local.settings.parent.mkdir()
    local.settings.write_text(content)
    with pytest.raises(RegistrationError, match=r"settings\.json"):
        disable_project_servers(["gitlab"], local.environ)
    assert local.settings.read_text() == content


LIMIT = 2 * 1024 * 1024
PLAIN = servers("gitlab", "x").encode()
# What the real client starts is not to be missed because Python reads more narrowly.
READ = {
    "plain": (PLAIN, ["gitlab", "x"]),
    "byte order mark": (b"\xef\xbb\xbf" + PLAIN, ["gitlab", "x"]),
    "not UTF-8": (PLAIN.replace(b'"x"', b'"x\xff\xfe"'), ["gitlab", "x\ufffd\ufffd"]),
    "half a surrogate pair": (PLAIN.replace(b'"x"', b'"x\\ud800"'), ["gitlab", "x\ud800"]),
    "deep": (PLAIN[:-1] + b', "deep": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", ["gitlab", "x"]),
    "many digits": (PLAIN[:-1] + b', "z": ' + b"1" * 9000 + b"}", ["gitlab", "x"]),
    "padded to the limit": (PLAIN.ljust(LIMIT), ["gitlab", "x"]),
    "twice": (b'{"mcpServers": {"old": {}}, ' + PLAIN[1:], ["gitlab", "x"]),
    "any type": (b'{"mcpServers": {"": 1, "a b": {"type": "http"}, "plugin:x:y": null}}', ["", "a b", "plugin:x:y"]),
    "beyond the limit": (PLAIN.ljust(LIMIT + 1), []),
    "cut off": (PLAIN[:-1], []),
    "no object": (b'["mcpServers"]', []),
    "no servers": (b"{}", []),
    "servers in a list": (b'{"mcpServers": ["gitlab"]}', []),
    "empty": (b"", []),
}


@pytest.mark.parametrize(("content", "names"), READ.values(), ids=READ)
def test_the_names_are_those_that_claude_code_would_start(tmp_path: Path, content: bytes, names: list[str]) -> None:
    (tmp_path / ".mcp.json").write_bytes(content)
    assert project_servers(tmp_path) == names


def test_the_names_of_the_folders_above_are_there_too(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / ".mcp.json").write_text(servers("own", "both"))
    (tmp_path / ".mcp.json").write_text(servers("both", "above"))
    assert project_servers(deep) == ["own", "both", "above"]


def test_a_link_is_followed_as_claude_code_follows_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "outside.json").write_bytes(PLAIN)
    (tmp_path / "work" / ".mcp.json").symlink_to("../outside.json")
    assert project_servers(tmp_path / "work") == ["gitlab", "x"]


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda file: file.symlink_to(file),
        lambda file: file.symlink_to("/dev/zero"),
        lambda file: file.symlink_to("/dev/stdin"),
        lambda file: file.symlink_to("/proc/self/environ"),
        lambda file: file.symlink_to("absent"),
    ],
    ids=["pipe", "folder", "link to itself", "device", "stdin", "process", "absent"],
)
def test_what_is_no_file_has_no_names_and_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / ".mcp.json")
    assert project_servers(tmp_path) == []


def test_the_files_that_claude_code_obeys_are_named_where_they_are_present(tmp_path: Path) -> None:
    assert obeyed_files(tmp_path) == []
    for name in (".claude/commands", ".claude/agents", ".claude/skills", ".claude/hooks"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("CLAUDE.md", "README.md", ".claude/settings.json", ".claude/other.json"):
        (tmp_path / name).write_text("")
    (tmp_path / ".mcp.json").symlink_to("/absent")
    assert obeyed_files(tmp_path) == [
        ".mcp.json",
        ".claude/settings.json",
        "CLAUDE.md",
        ".claude/commands",
        ".claude/agents",
        ".claude/skills",
    ]
