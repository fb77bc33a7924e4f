"""What a checkout can make Claude Code do: the servers that it names, and the files that Claude Code obeys."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitlab_mcp.claude_code import RegistrationError, disable_project_servers, obeyed_files, project_servers
from tests.support.local_machine import LocalMachine, mode, read


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
    ("arguments", "is_job"), [(["--trust-project-mcp"], True), (["--scope", "project", "--force"], True), ([], False)]
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
    assert disable_project_servers([], environ, local.work) == []
    assert not config.exists()
    assert disable_project_servers(["b", "a", "b", "\ud800"], environ, local.work) == ["b", "a", "\ud800"]
    assert read(config / "settings.json") == {"disabledMcpjsonServers": ["b", "a", "\ud800"]}
    assert mode(config / "settings.json") == 0o600
    assert local.everything() == set()


@pytest.mark.parametrize("content", ["{", "[]", '{"disabledMcpjsonServers": "x"}', '{"disabledMcpjsonServers": null}'])
def test_broken_settings_are_left_alone_with_a_sentence(local: LocalMachine, content: str) -> None:
    local.settings.parent.mkdir()
    local.settings.write_text(content)
    with pytest.raises(RegistrationError, match=r"settings\.json"):
        disable_project_servers(["gitlab"], local.environ, local.work)
    assert local.settings.read_text() == content


def test_what_an_earlier_job_disabled_is_enabled_again_and_what_the_user_did_stays(
    local: LocalMachine, tmp_path: Path
) -> None:
    """The home of a shell executor outlives its jobs, of which several run at once, each in its own checkout."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    local.settings.parent.mkdir()
    local.settings.write_text('{"disabledMcpjsonServers": ["own"]}')

    def disabled(names: list[str], checkout: Path) -> list[str]:
        disable_project_servers(names, local.environ, checkout)
        return list(read(local.settings)["disabledMcpjsonServers"])

    assert disabled(["own", "evil", "both"], first) == ["own", "evil", "both"]
    assert disabled(["both", "other"], second) == ["own", "evil", "both", "other"]
    assert disabled([], first) == ["own", "both", "other"]
    assert disabled(["own"], first) == ["own", "both", "other"]
    second.rmdir()
    assert disabled(["evil"], first) == ["own", "evil"]
    local.run("register")
    local.run("unregister")
    assert read(local.settings) == {"disabledMcpjsonServers": ["own"]}


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
