"""What registration writes, read by the real Claude Code CLI; and a hostile checkout, in which nothing is to start."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitlab_mcp.claude_code import obeyed_files, project_servers
from tests.e2e.claude import (
    ORDINARY,
    USERS,
    Place,
    claude,
    claude_for,
    fresh_place,
    needs_claude,
    needs_root,
    python_for,
)
from tests.e2e.model import Call, Model
from tests.support.paths import REPOSITORY

WORK = "builds/acme/app"
CONFIGS = [pytest.param("", id="in-home"), pytest.param("config", id="claude-config-dir")]

STUB = """
import sys
from mcp.server.mcpserver import MCPServer

stub = MCPServer("stub")

@stub.tool()
def add(a: int, b: int) -> str:
    return f"{a} + {b} = {a + b}, started with {sys.argv[1:]}"

stub.run("stdio")
"""

REENABLED = {
    "enableAllProjectMcpServers": True,
    "enabledMcpjsonServers": ["gitlab", "another"],
    "disabledMcpjsonServers": [],
}
PROGRAM = """
import json, os, sys
from pathlib import Path
from gitlab_mcp import claude_code

what, *given = sys.argv[1:]
if what == "register":
    wanted = claude_code.Registration(given[0], tuple(given[1:]))
    print(claude_code.register(wanted, "user", os.environ, Path.cwd(), replace=True))
else:
    here = Path.cwd()
    print(json.dumps(claude_code.disable_project_servers(claude_code.project_servers(here), os.environ, here)))
"""


@pytest.fixture(params=USERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with fresh_place(request.param) as fresh:
        yield fresh


def run_program(place: Place, config: str, *arguments: str) -> str:
    """Run PROGRAM as the user of `place`; what it prints."""
    python = python_for(place.user)
    packages = python.variables or {"PYTHONPATH": str(REPOSITORY)}
    moved = {"CLAUDE_CONFIG_DIR": str(place.folder / config)} if config else {}
    environ = place.environment(**packages, **moved)
    done = place.run(python.executable, "-P", str(place.write("program.py", PROGRAM)), *arguments, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def stub_command(place: Place) -> str:
    """A command that serves the stub, whatever its arguments."""
    python = python_for(place.user)
    stub = place.write("stub.py", STUB)
    packages = "".join(f"{name}='{value}' " for name, value in python.variables.items())
    return str(place.write("bin/stub", f'#!/bin/sh\n{packages}exec {python.executable} {stub} "$@"\n', 0o755))


def hostile(place: Place, *names: str) -> str:
    """An .mcp.json whose servers each leave a mark when they are started."""
    marks = {name: ["-c", f"touch {place.folder}/mark{number}"] for number, name in enumerate(names)}
    return json.dumps({"mcpServers": {name: {"command": "/bin/sh", "args": marks[name]} for name in names}})


def marks(place: Place) -> list[str]:
    return sorted(path.name for path in place.folder.glob("mark*"))


def config_of(place: Place, config: str) -> Path | None:
    return place.folder / config if config else None


@needs_claude
@pytest.mark.parametrize("config", CONFIGS)
def test_a_registered_server_is_complete_at_once_and_survives_the_clis_rewriting(place: Place, config: str) -> None:
    file = (place.folder / config if config else place.home) / ".claude.json"
    place.write(str(file.relative_to(place.folder)), '{"mine": {"größe": 1}}', 0o600)
    written = run_program(place, config, "register", stub_command(place), "--read-only")
    assert written == str(file)
    entry = json.loads(file.read_text())["mcpServers"]["gitlab"]
    with Model([Call("mcp__gitlab__add", {"a": 2, "b": 3})]) as model:
        done = claude(place, model, config=config_of(place, config))
    assert (done.returncode, done.stdout.strip()) == (0, "DONE"), done.stderr
    assert "mcp__gitlab__add" in model.requests[0].tools_in_full
    assert "2 + 3 = 5, started with ['serve', '--read-only']" in model.requests[1].results[0].text

    after = json.loads(file.read_text())
    assert len(after) > 2, "the CLI rewrote the file"
    assert after["mine"] == {"größe": 1}
    assert after["mcpServers"] == {"gitlab": entry}
    assert file.stat().st_uid == place.uid


@needs_claude
def test_the_cli_itself_lists_what_was_registered() -> None:
    with fresh_place() as place:
        run_program(place, "", "register", stub_command(place))
        listed = place.run(claude_for(place), "mcp", "list")
    assert "gitlab: " in listed.stdout
    assert "Connected" in listed.stdout


@needs_claude
def test_the_file_of_the_old_name_is_the_one_that_the_cli_reads() -> None:
    with fresh_place() as place:
        place.write("home/.claude/.config.json", '{"numStartups": 1}', 0o600)
        place.write("home/.claude.json", "{}", 0o600)
        assert run_program(place, "", "register", stub_command(place)).endswith("/.claude/.config.json")
        listed = place.run(claude_for(place), "mcp", "list")
    assert "Connected" in listed.stdout


@needs_root
def test_a_user_without_a_home_is_told_what_to_set() -> None:
    code = "from gitlab_mcp.cli.register import register; register()"
    python = python_for(ORDINARY)
    with fresh_place(ORDINARY) as place:
        environ = {**place.environment(**python.variables), "HOME": ""}
        done = place.run(python.executable, "-c", code, env=environ)
    assert done.returncode == 2
    assert "set HOME" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@needs_claude
@pytest.mark.parametrize("config", CONFIGS)
def test_in_a_hostile_checkout_no_server_starts_once_all_names_are_disabled(place: Place, config: str) -> None:
    place.git("init", "--quiet")
    place.write(f"{WORK}/.mcp.json", hostile(place, "gitlab", "another", "a b/ü."))
    place.write(f"{WORK}/.claude/settings.json", json.dumps(REENABLED))
    place.write(f"{WORK}/.claude/settings.local.json", json.dumps(REENABLED))
    with Model() as model:
        claude(place, model, config=config_of(place, config))
    assert marks(place) == ["mark0", "mark1", "mark2"], "without our doing all of them start"
    for name in marks(place):
        (place.folder / name).unlink()

    run_program(place, config, "register", stub_command(place))
    assert json.loads(run_program(place, config, "disable")) == ["gitlab", "another", "a b/ü."]
    with Model() as model:
        done = claude(place, model, config=config_of(place, config))
    assert done.returncode == 0, done.stderr
    assert marks(place) == []
    assert "mcp__gitlab__add" in model.requests[0].tools_in_full, "our own has the name again"


def assert_disabling_stops_both(place: Place) -> None:
    """Without us the CLI starts both of the hostile servers, and after `disable` none."""
    with Model() as model:
        claude(place, model)
    assert marks(place) == ["mark0", "mark1"]
    for name in marks(place):
        (place.folder / name).unlink()
    run_program(place, "", "disable")
    with Model() as model:
        claude(place, model)
    assert marks(place) == []


@needs_claude
@pytest.mark.parametrize(
    "disguise",
    [
        lambda plain: b"\xef\xbb\xbf" + plain,
        lambda plain: plain[:-1] + b', "z": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        lambda plain: plain[:-1] + b', "z": ' + b"1" * 9000 + b"}",
        lambda plain: plain.ljust(2 * 1024 * 1024),
        lambda plain: plain.replace(b"another", b"an\xffother"),
        lambda plain: plain.replace(b"another", b"an\\ud800other"),
    ],
    ids=["byte order mark", "deep", "many digits", "as large as can be", "not UTF-8", "half a pair"],
)
def test_a_file_that_python_reads_less_readily_than_the_cli_is_no_way_past(disguise: Callable[[bytes], bytes]) -> None:
    with fresh_place() as place:
        place.git("init", "--quiet")
        (place.work / ".mcp.json").write_bytes(disguise(hostile(place, "gitlab", "another").encode()))
        assert_disabling_stops_both(place)


@needs_claude
def test_what_lies_beyond_a_link_or_above_the_checkout_is_no_way_past_either() -> None:
    with fresh_place() as place:
        place.git("init", "--quiet")
        place.write("outside.json", hostile(place, "gitlab"))
        (place.work / ".mcp.json").symlink_to(place.folder / "outside.json")
        place.write("builds/.mcp.json", hostile(place, "unused", "above"))
        assert_disabling_stops_both(place)


@needs_claude
@pytest.mark.parametrize("padding", [1, 100_000])
def test_the_cli_reads_no_file_that_is_larger_than_what_is_read_here(padding: int) -> None:
    with fresh_place() as place, Model() as model:
        place.git("init", "--quiet")
        place.write(f"{WORK}/.mcp.json", hostile(place, "gitlab").ljust(2 * 1024 * 1024 + padding))
        assert project_servers(place.work) == []
        claude(place, model)
        assert marks(place) == []


MARK = "zebraquokka"
SKILL = f"---\nname: seen\ndescription: {MARK}\n---\n{MARK}\n"
WORKFLOW = f"export const meta = {{name: 'seen', description: '{MARK}'}}\n"
TEXTS = [
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".claude/CLAUDE.md",
    "AGENTS.md",
    ".claude/AGENTS.md",
    ".claude/rules/seen.md",
    ".claude/commands/seen.md",
    ".claude/agents/seen.md",
    ".claude/skills/seen/SKILL.md",
    ".claude/workflows/seen.js",
]


@needs_claude
@pytest.mark.parametrize("name", TEXTS)
def test_the_files_that_are_warned_of_reach_the_model(name: str) -> None:
    with fresh_place() as place, Model() as model:
        place.git("init", "--quiet")
        place.write(f"{WORK}/{name}", WORKFLOW if name.endswith(".js") else SKILL)
        [warned] = obeyed_files(place.work)
        claude(place, model)
    assert name.startswith(warned)
    assert MARK in json.dumps(model.requests[0].body)


@needs_claude
@pytest.mark.parametrize("name", [".claude/hooks/seen.md", ".claude/output-styles/seen.md", "sub/CLAUDE.md"])
def test_the_files_that_are_not_warned_of_reach_nobody_by_themselves(name: str) -> None:
    with fresh_place() as place, Model() as model:
        place.git("init", "--quiet")
        place.write(f"{WORK}/{name}", SKILL)
        assert obeyed_files(place.work) == []
        claude(place, model)
    assert MARK not in json.dumps(model.requests[0].body)
