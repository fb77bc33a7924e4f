"""What Claude Code is started with: arguments, prompt, environment, and the server with its tokens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.claude_program import ClaudeJob, begun, ended
from tests.support.gitlab_requests import commit

BOUND = 90
NARROW, WIDE = "Read(./**) Edit(./**) mcp__gitlab", "Bash Read(./**) Edit(./**) mcp__gitlab"


def run(claude: ClaudeJob, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = claude.run("--prompt", "Go.", *arguments, timeout=BOUND)
    assert done.returncode == code, done.stdout
    return done


def after(claude: ClaudeJob, option: str) -> str:
    """The value of an option of claude, "" where it was not given."""
    given = claude.record["arguments"]
    return str(given[given.index(option) + 1]) if option in given else ""


def test_claude_obeys_no_file_of_the_checkout_and_has_our_server_only(claude: ClaudeJob) -> None:
    run(claude, "--max-turns", "7", "--max-budget", "1.5", "--model", "opus", "--", "--fallback-model", "sonnet")
    record = claude.record
    assert record["arguments"][:6] == ["-p", "--output-format", "stream-json", "--verbose", "--setting-sources", "user"]
    assert "--strict-mcp-config" in record["arguments"]
    assert record["arguments"][-2:] == ["--fallback-model", "sonnet"]
    wanted = {"--max-turns": "7", "--max-budget-usd": "1.5", "--model": "opus", "--permission-mode": "acceptEdits"}
    assert {option: after(claude, option) for option in wanted} == wanted
    assert list(record["configuration"]["mcpServers"]) == ["gitlab"]
    assert record["folder"] == str(claude.checkout)
    assert record["prompt"] == "Go."
    assert record["environ"]["CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS"] == "1"
    assert "CLAUDE_CODE_DISABLE_FILE_MENTIONS" not in record["environ"]


@pytest.mark.parametrize(
    ("written", "given", "tools"),
    [("", "", WIDE), ("Do it.", "", NARROW), ("Do it.", "Read", "Read"), ("", "Read", "Read")],
    ids=["prompt", "comment", "comment-with-tools", "prompt-with-tools"],
)
def test_what_people_wrote_has_no_bash_unless_a_maintainer_allows_it(
    claude: ClaudeJob, written: str, given: str, tools: str
) -> None:
    claude.environment["AI_FLOW_INPUT"] = written
    run(claude, "--allowed-tools", given)
    assert after(claude, "--allowedTools") == tools
    assert ("CLAUDE_CODE_DISABLE_FILE_MENTIONS" in claude.record["environ"]) == bool(written)


# The name of a variable, and whether Claude Code gets it.
VARIABLES = {
    "CI_JOB_TOKEN": False,
    "GITLAB_ACCESS_TOKEN": False,
    "GITLAB_TOKEN": False,
    "CI_REPOSITORY_URL": False,
    "CI_REGISTRY_PASSWORD": False,
    "MY_COPY": False,
    "DEPLOY_KEY": False,
    "DATABASE_PASSWORD": False,
    "AWS_SECRET_ACCESS_KEY": False,
    "NODE_OPTIONS": False,
    "LD_PRELOAD": False,
    "CLAUDE_CONFIG_DIR": False,
    "ANTHROPIC_CUSTOM_HEADERS": False,
    "GIT_SSH_COMMAND": False,
    "ANTHROPIC_API_KEY": True,
    "ANTHROPIC_MODEL": True,
    "CI_PROJECT_ID": True,
    "GITLAB_USER_NAME": True,
    "NO_PROXY": True,
}


def test_the_environment_is_an_allow_list_which_no_gitlab_token_passes(claude: ClaudeJob) -> None:
    token = claude.environment["CI_JOB_TOKEN"]
    mine = {name: f"the-value-of-{name}" for name in VARIABLES} | {
        "CI_REPOSITORY_URL": f"https://gitlab-ci-token:{token}@gitlab.example.com/acme/app.git",
        "CI_REGISTRY_PASSWORD": token,
        "MY_COPY": f"Bearer {token}",
        "LD_PRELOAD": "",
    }
    del mine["GITLAB_ACCESS_TOKEN"]
    own = {name: claude.environment[name] for name in VARIABLES if name in claude.environment}
    claude.environment.update({**mine, **own})
    done = run(claude)
    environ = claude.record["environ"]
    assert {name: name in environ for name in VARIABLES if name != "GITLAB_ACCESS_TOKEN"} == {
        name: passes for name, passes in VARIABLES.items() if name != "GITLAB_ACCESS_TOKEN"
    }
    assert token not in repr(environ)
    assert token not in repr(claude.record["arguments"])
    assert token not in done.stdout


@pytest.mark.parametrize("entry", [".", "", "bin"], ids=["the folder", "empty", "relative"])
def test_no_program_of_the_checkout_runs_in_place_of_claude(claude: ClaudeJob, entry: str) -> None:
    of_checkout = claude.checkout / entry / "claude"
    of_checkout.parent.mkdir(exist_ok=True)
    of_checkout.write_text("#!/bin/sh\nexit 1\n")
    of_checkout.chmod(0o755)
    path = claude.environment["PATH"]
    claude.environment["PATH"] = f"{entry}:{path}"
    run(claude)
    assert claude.record["environ"]["PATH"] == path


def test_pass_env_adds_what_a_projects_tests_need(claude: ClaudeJob) -> None:
    claude.environment.update({"DATABASE_URL": "postgres://db", "DATABASE_PASSWORD": "of-the-database", "OTHER": "x"})
    run(claude, "--pass-env", "DATABASE_URL DATABASE_PASSWORD", "--pass-env", "NOT_SET")
    environ = claude.record["environ"]
    assert (environ["DATABASE_URL"], environ["DATABASE_PASSWORD"]) == ("postgres://db", "of-the-database")
    assert "OTHER" not in environ


@pytest.mark.parametrize("name", ["CI_JOB_TOKEN", "MY_COPY"])
def test_pass_env_hands_on_no_gitlab_token(claude: ClaudeJob, name: str) -> None:
    claude.environment["MY_COPY"] = claude.environment["CI_JOB_TOKEN"]
    done = run(claude, "--pass-env", name, code=2)
    assert f"--pass-env names {name}" in done.stdout
    assert not claude.was_started


def test_the_server_has_the_tokens_in_private_files_that_are_gone_afterwards(
    claude: ClaudeJob, sandbox: Sandbox
) -> None:
    claude.environment["GITLAB_ACCESS_TOKEN"] = sandbox.tokens["developer"]
    run(claude)
    files = claude.record["files"]
    assert {name: content for name, (content, _, _) in files.items()} == {
        "CI_JOB_TOKEN_FILE": sandbox.tokens["job"],
        "GITLAB_ACCESS_TOKEN_FILE": sandbox.tokens["developer"],
    }
    paths = [Path(path) for _, _, path in files.values()] + [Path(claude.record["configuration_file"][0])]
    assert {mode for _, mode, _ in files.values()} | {claude.record["configuration_file"][1]} == {"0o600"}
    assert not any(path.is_relative_to(claude.checkout) or path.exists() for path in paths)
    assert sandbox.tokens["job"] not in repr(claude.record["configuration"])


def test_flags_of_the_server_are_its_own_and_a_wrong_one_stops_the_run(claude: ClaudeJob) -> None:
    run(claude, "--read-only")
    assert claude.record["configuration"]["mcpServers"]["gitlab"]["args"][-2:] == ["serve", "--read-only"]
    (claude.folder / "record.json").unlink()
    done = run(claude, "--toolsets", "nope", code=2)
    assert "nope" in done.stdout
    assert not claude.was_started


ELSEWHERE = {
    "ANTHROPIC_BASE_URL": {},
    "HTTPS_PROXY": {},
    "https_proxy": {},
    "ALL_PROXY": {},
    "ANTHROPIC_BEDROCK_BASE_URL": {"CLAUDE_CODE_USE_BEDROCK": "1"},
    "AWS_ENDPOINT_URL_STS": {"CLAUDE_CODE_USE_BEDROCK": "1"},
    "ANTHROPIC_VERTEX_BASE_URL": {"CLAUDE_CODE_USE_VERTEX": "true"},
}


@pytest.mark.parametrize(("name", "more"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_a_variable_that_would_send_the_key_elsewhere_stops_the_run(
    claude: ClaudeJob, name: str, more: dict[str, str]
) -> None:
    claude.environment.update({name: "http://127.0.0.1:9", **more})
    done = run(claude, code=2)
    assert f"The variable {name} would change where the model's key is sent" in done.stdout
    assert not claude.was_started
    assert "127.0.0.1:9" not in done.stdout


REGIONS = {
    "AWS_REGION": "CLAUDE_CODE_USE_BEDROCK",
    "ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION": "CLAUDE_CODE_USE_BEDROCK",
    "CLOUD_ML_REGION": "CLAUDE_CODE_USE_VERTEX",
    "VERTEX_REGION_CLAUDE_4_0_SONNET": "CLAUDE_CODE_USE_VERTEX",
}


@pytest.mark.parametrize(("name", "switch"), REGIONS.items(), ids=REGIONS)
@pytest.mark.parametrize("value", ["example.com/", "example.com#", "user@example.com", "eu-west-1\n"])
def test_a_region_that_would_send_the_key_elsewhere_stops_the_run(
    claude: ClaudeJob, name: str, switch: str, value: str
) -> None:
    claude.environment.update({switch: "1", name: value})
    done = run(claude, code=2)
    assert f"The variable {name} would change where the model's key is sent" in done.stdout
    assert not claude.was_started
    assert "example.com" not in done.stdout


@pytest.mark.parametrize("as_variable", [False, True], ids=["flag", "flag-and-variable"])
def test_the_models_address_and_proxy_come_from_flags(claude: ClaudeJob, as_variable: bool) -> None:
    if as_variable:
        claude.environment.update({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9/", "HTTPS_PROXY": "http://127.0.0.1:8"})
    run(claude, "--base-url", "http://127.0.0.1:9", "--proxy", "http://127.0.0.1:8")
    environ = claude.record["environ"]
    assert environ["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"
    assert environ["HTTPS_PROXY"] == "http://127.0.0.1:8"


def test_another_providers_address_is_not_passed_on(claude: ClaudeJob) -> None:
    cloud = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1", "AWS_ROLE_ARN": "of-the-job"}
    claude.environment.update({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", **cloud})
    run(claude)
    environ = claude.record["environ"]
    assert {name: environ.get(name) for name in cloud} == cloud
    assert not {"ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"} & set(environ)


@pytest.mark.parametrize(("status", "hides"), [(0, True), (1, False)], ids=["works", "is-forbidden"])
def test_the_key_is_hidden_from_commands_only_where_bubblewrap_works(
    claude: ClaudeJob, status: int, hides: bool
) -> None:
    program = claude.folder / "bin" / "bwrap"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    run(claude)
    assert ("CLAUDE_CODE_SUBPROCESS_ENV_SCRUB" in claude.record["environ"]) == hides


@pytest.mark.parametrize("name", ["TMPDIR", "HOME"])
def test_temporary_files_and_a_home_in_the_checkout_stop_the_run(claude: ClaudeJob, name: str) -> None:
    claude.environment[name] = str(claude.checkout)
    done = run(claude, code=2)
    assert f"{name} is a folder of the checkout" in done.stdout
    assert not claude.was_started


def test_a_server_that_does_not_start_ends_the_run_before_claude_is_started(claude: ClaudeJob) -> None:
    # The server is started with the environment of the run, and does not accept this.
    folder = claude.folder / "broken"
    folder.mkdir()
    (folder / "gitlab-mcp-server").write_text(
        f'#!/bin/sh\n[ "$1" != serve ] || exit 1\nexec {sys.executable} -m gitlab_mcp "$@"\n'
    )
    (folder / "gitlab-mcp-server").chmod(0o755)
    claude.environment["GITLAB_MCP_READ_ONLY"] = "perhaps"
    done = run(claude, code=2)
    assert "GITLAB_MCP_READ_ONLY" in done.stdout
    assert not claude.was_started


@pytest.mark.parametrize("written", ["/config verbose=true", "--version\n", "@/etc/passwd $(id)"])
def test_what_people_wrote_is_a_text_and_no_command(claude: ClaudeJob, written: str) -> None:
    claude.environment["AI_FLOW_INPUT"] = written
    run(claude)
    assert written in claude.record["prompt"]
    assert not claude.record["prompt"].startswith("/")


def test_a_text_that_no_environment_could_hold_comes_from_a_file(claude: ClaudeJob) -> None:
    text = "x" * 300_000
    file = claude.folder / "flow-input"
    file.write_text(text)
    run(claude, "--flow-input-file", str(file))
    assert text in claude.record["prompt"]
    assert not file.exists()
    assert after(claude, "--allowedTools") == NARROW
    assert "AI_FLOW_INPUT" not in claude.record["environ"]


def test_the_rules_and_the_prompt_file_are_the_target_branchs(claude: ClaudeJob, sandbox: Sandbox) -> None:
    files = {"CLAUDE.md": "Rules of the target.\n", "prompts/review.md": "Review of the target.\n"}
    actions = [{"action": "create", "file_path": path, "content": text} for path, text in files.items()]
    commit(sandbox, "target", "main", *actions)
    claude.environment["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] = "target"
    (claude.checkout / "CLAUDE.md").write_text("Rules of the checkout.\n")
    run(claude, "--prompt-file", "prompts/review.md")
    assert claude.record["prompt"] == "Review of the target.\n"
    assert claude.record["instructions"].endswith("\n\nRules of the target.\n")


def test_reports_replace_what_the_checkout_has_in_their_place(claude: ClaudeJob) -> None:
    other = claude.folder / "other.txt"
    other.write_text("of the machine")
    (claude.checkout / "claude-result.json").symlink_to(other)
    (claude.checkout / "claude-result.env").symlink_to(other)
    claude.plan(begun(), ended())
    run(claude)
    assert other.read_text() == "of the machine"
    lines = (claude.checkout / "claude-result.env").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"CLAUDE_[A-Z_]+=.*", line)] == []
