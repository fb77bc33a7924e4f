"""Claude Code's own file: what else is in it is kept, and others may write it at the same time."""

import json
import os
import pwd
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.claude_code import Registration
from gitlab_mcp.claude_code import register as register_at
from gitlab_mcp.claude_code.json_file import user_file
from tests.support.local_machine import LocalMachine, mode, read
from tests.support.machine import needs_sys

SERVE = {"type": "stdio", "command": "/opt/gitlab-mcp-server", "args": ["serve"], "env": {}, "alwaysLoad": True}
KEPT = """{
\t"numStartups": 7,
\t"größe": "日本 \\ud83d\\ude00 \\udc00",
\t"z": {"b": [1, 2.5, null, true, {}], "a": 123456789012345678901234567890},
\t"mcpServers": {
\t\t"other": {"command": "/bin/true"}, "gitlab": {"command": "/old/gitlab-mcp-server"},
\t\t"last": {"type": "http", "url": "x"}
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


def pairs(text: str) -> Any:
    """JSON with the order of its keys."""
    return json.loads(text, object_pairs_hook=lambda found: [list(pair) for pair in found])


def test_everything_else_in_the_file_is_kept_in_its_order(local: LocalMachine) -> None:
    local.file.write_text(KEPT)
    local.file.chmod(0o640)
    register_at(Registration("/opt/gitlab-mcp-server"), "user", local.environ, local.work)
    written = local.file.read_text()
    expected = KEPT.replace('{"command": "/old/gitlab-mcp-server"}', json.dumps(SERVE))
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


def test_unregister_removes_the_entry_and_nothing_else(local: LocalMachine) -> None:
    assert "Nothing to remove" in local.run("unregister")
    assert local.everything() == set()
    local.file.write_text(KEPT)
    assert local.run("unregister") == "Removed gitlab (user scope).\n"
    assert pairs(local.file.read_text()) == pairs(KEPT.replace('"gitlab": {"command": "/old/gitlab-mcp-server"},', ""))
    before = local.file.stat().st_mtime_ns
    assert "Nothing to remove" in local.run("unregister")
    assert local.file.stat().st_mtime_ns == before


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


@pytest.mark.parametrize(
    "home",
    [pytest.param("file", id="a file"), pytest.param("/sys", id="a file system of the kernel's", marks=needs_sys)],
)
def test_a_home_that_cannot_be_written_fails_with_a_sentence_that_says_what_to_do(
    local: LocalMachine, home: str
) -> None:
    (local.work / "file").write_text("")
    home = str(local.work / home)
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
