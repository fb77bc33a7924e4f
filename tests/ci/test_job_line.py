"""A job's bare line with a mistake: the server is registered with fewer permissions, and the log says why."""

import json
import os
from pathlib import Path

import pytest

from tests.protocol.process import INITIALIZE
from tests.support.bare_start import entry, start

GRANTS = ("--allow-default-branch", "--allow-files=CLAUDE.md", "--allow-project=group/other")

MISTAKES = [
    pytest.param(
        ("--read-onyl",),
        "--read-onyl (the nearest is --read-only): left",
        id="a mistyped option",
    ),
    pytest.param(("--read_only=true",), "--read_only", id="a mistyped option with a value"),
    pytest.param(("-read-only",), "there is no option -read-only", id="one dash"),
    pytest.param(("\N{EN DASH}read-only",), "\N{EN DASH}read-only", id="a dash of a word processor"),
    pytest.param(("read-only",), '"read-only" is neither', id="no dash"),
    pytest.param(("--read-only=yes",), "--read-only", id="a flag with a value"),
    pytest.param(("--allow-files", "a.yml", "b.yml"), '"b.yml" is neither', id="a second value"),
    pytest.param(
        ("--toolset", "issues"),
        "there is no option --toolset (the nearest is --toolsets)",
        id="an unknown option before a value",
    ),
    pytest.param(("--trigger",), "--trigger", id="an option without its value"),
    pytest.param(("--deadline", "soon"), "'soon' is not a valid float", id="a value of the wrong type"),
    pytest.param(("--deadline=0",), "--deadline is 0", id="a value out of bounds"),
    pytest.param(("--project=app",), '--project is "app"', id="a project without its group"),
    pytest.param(("--trigger=@",), '--trigger is "@"', id="an empty handle"),
    pytest.param(("--author=Jane",), '--author is "Jane"', id="an author without an address"),
    pytest.param(("--url=nowhere",), "is not the URL of a GitLab", id="no URL"),
    pytest.param(("--url=https://elsewhere.example.com",), "its credentials go there only", id="another GitLab"),
    pytest.param(("--tools=get_isue",), "Unknown tool get_isue", id="an unknown tool"),
    pytest.param(("--toolsets=isues",), "Unknown toolset isues", id="an unknown toolset"),
    pytest.param(("",), '"" is neither', id="an empty argument"),
]


@pytest.mark.parametrize(("mistake", "told"), MISTAKES)
def test_a_mistake_registers_read_only_without_grants_and_is_told_in_the_log(
    job: dict[str, str], mistake: tuple[str, ...], told: str
) -> None:
    done = start(job, *GRANTS, *mistake)
    assert (done.returncode, done.stderr) == (0, "")
    assert entry(job)["args"][-2:] == ["serve", "--read-only"]
    [warning] = [line for line in done.stdout.splitlines() if line.startswith("warning: ") and told in line]
    assert warning.endswith("so the server only reads, and no flag grants permissions: correct the line")
    assert ": reads only (--read-only)" in done.stdout


def test_what_is_right_on_a_line_with_a_mistake_stays(job: dict[str, str]) -> None:
    start(job, "--trigger=bot", "--read-onyl", "--tools=get_issue,get_isue", "--trusted-only", "--deadline=5")
    assert (
        entry(job)["args"][-5:]
        == [
            "serve",
            "--read-only",
            "--tools=get_issue",
            "--trusted-only",
            "--trigger=bot",
            "--deadline=5",
        ][-5:]
    )


def test_a_mistyped_option_that_withholds_text_withholds_it(job: dict[str, str]) -> None:
    start(job, "--trusted-onyl")
    assert entry(job)["args"][-2:] == ["--read-only", "--trusted-only"]


def test_a_line_with_a_mistake_does_not_trust_the_checkouts_servers(job: dict[str, str]) -> None:
    (Path(job["CI_PROJECT_DIR"]) / ".mcp.json").write_text('{"mcpServers": {"other": {}}}')
    done = start(job, "--trust-project-mcp", "--read-onyl")
    assert 'disabled: the servers of the checkout\'s .mcp.json: "other"' in done.stdout


def test_a_client_of_a_line_with_a_mistake_is_served_and_told_on_stderr(job: dict[str, str]) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as client:
        client.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}) + "\n")
    done = start(job, "--read-onyl", stdin=reader)
    os.close(reader)
    assert '"serverInfo"' in done.stdout.splitlines()[0]
    assert "warning: there is no option --read-onyl (" in done.stderr


@pytest.mark.parametrize("arguments", [("doctr",), ("--read-onyl", "doctor"), ("serve", "--read-onyl")], ids=" ".join)
def test_a_line_that_names_a_command_ends_with_2_in_a_job_too(job: dict[str, str], arguments: tuple[str, ...]) -> None:
    done = start(job, *arguments)
    assert done.returncode == 2
    assert "No such" in done.stderr
    assert not (Path(job["HOME"]) / ".claude.json").exists()


def test_locally_a_mistyped_option_ends_with_2(job: dict[str, str]) -> None:
    local = {name: value for name, value in job.items() if not name.startswith(("CI", "GITLAB_CI"))}
    assert start(local, "--read-onyl").returncode == 2


def test_outside_gitlab_ci_a_line_with_a_mistake_stays_restricted_to_its_projects(job: dict[str, str]) -> None:
    other = {name: value for name, value in job.items() if not name.startswith(("CI_", "GITLAB_CI"))}
    start(other, "--allow-project=group/app", "--read-onyl")
    assert entry(job)["args"][-2:] == ["--read-only", "--allow-project=group/app"]
