"""What `register` says beside the entry that it writes, and the entries that it prints for other clients."""

import json
from pathlib import Path

import pytest

from gitlab_mcp.claude_code import Registration, is_in_cache, lasting_registration
from tests.support.local_machine import TOKEN, LocalMachine, read


def said(local: LocalMachine, command: str, *arguments: str, **environ: str) -> tuple[str, str]:
    """What a command that succeeds prints to stdout and stderr."""
    with local.start(command, *arguments, **environ) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return stdout, stderr


def test_variables_of_the_shell_that_the_entry_lacks_are_named_with_the_command(local: LocalMachine) -> None:
    environ = {"GITLAB_URL": "https://gitlab.example.com", "GITLAB_PROJECT": "group/app", "GITLAB_MCP_READ_ONLY": "1"}
    told = local.run("register", "--trusted-only", **environ)
    assert "GITLAB_URL, GITLAB_PROJECT and GITLAB_MCP_READ_ONLY of this shell are not in the entry" in told
    command = "register --url=https://gitlab.example.com --project=group/app --read-only --trusted-only"
    assert told.endswith(f"To write them: gitlab-mcp-server {command}\n")
    again = local.run(*command.split(), **environ)
    assert "of this shell" not in again
    assert read(local.file)["mcpServers"]["gitlab"]["args"][-4:] == command.split()[1:]


def entry(*words: str, **more: object) -> dict[str, object]:
    return {"command": words[0], "args": list(words[1:]), **more}


OTHERS = {
    "a package": (
        entry("npx", "-y", "other-server", f"--token={TOKEN}"),
        "npx -y other-server --token=[token removed]",
    ),
    "a package of this name": (entry("npx", "-y", "gitlab-mcp-server"), "npx -y gitlab-mcp-server"),
    "a scoped package": (entry("npx", "@some/gitlab-mcp-server", "serve"), "npx @some/gitlab-mcp-server serve"),
    "an image of this name": (entry("docker", "run", "mcp/gitlab-mcp-server"), "docker run mcp/gitlab-mcp-server"),
    "an address": (
        {"type": "http", "url": "https://x.example/gitlab-mcp-server"},
        "https://x.example/gitlab-mcp-server",
    ),
    "an entry without a command": ({"type": "sse"}, '{"type": "sse"}'),
    "no object": ("npx", '"npx"'),
}
OWN = {
    "a path": entry("/old/place/gitlab-mcp-server", "serve"),
    "added by claude": entry("gitlab-mcp-server", "--read-only"),
    "a module": entry("/usr/bin/python3", "-P", "-m", "gitlab_mcp", "serve"),
    "uvx": entry("uvx", "--from", "/checkout", "gitlab-mcp-server", "serve"),
    "an image": entry("docker", "run", "-i", "registry.example/acme/gitlab-mcp-server:1", "serve"),
    "no value": None,
}


WHERE = [(command, scope) for command in ("register", "unregister") for scope in ("user", "project", "local")]


@pytest.mark.parametrize(
    ("name", "command", "scope"),
    [*((name, "register", "user") for name in OTHERS), *(("a package", *where) for where in WHERE[1:])],
)
def test_another_server_of_that_name_is_named_and_kept_unless_forced(
    local: LocalMachine, name: str, command: str, scope: str
) -> None:
    theirs, shown = OTHERS[name]
    file = local.work / ".mcp.json" if scope == "project" else local.file
    servers = {"mcpServers": {"gitlab": theirs, "jira": {"command": "j"}}}
    text = json.dumps({"projects": {str(local.work): servers}} if scope == "local" else servers)
    file.write_text(text)
    told = local.fail(command, "--scope", scope)
    assert told.endswith(f" another server named gitlab, and was not changed; --force replaces or removes it: {shown}")
    assert str(file) in told
    assert file.read_text() == text
    stderr = said(local, command, "--scope", scope, "--force")[1]
    assert stderr == f"It {'replaced' if command == 'register' else 'was'} another server of that name: {shown}\n"
    assert shown not in file.read_text()
    assert '"jira"' in file.read_text()


@pytest.mark.parametrize("ours", OWN.values(), ids=OWN)
def test_its_own_entry_is_replaced_and_removed_without_a_word(local: LocalMachine, ours: object) -> None:
    local.file.write_text(json.dumps({"mcpServers": {"gitlab": ours}}))
    assert said(local, "register", "--read-only")[1] == ""
    assert said(local, "unregister")[1] == ""
    local.file.write_text(json.dumps({"mcpServers": {"gitlab": ours}}))
    assert said(local, "unregister")[1] == ""


@pytest.mark.parametrize("token", [TOKEN, ""], ids=["with a credential", "without"])
@pytest.mark.parametrize("flag", ["--toolsets=nope", "--tools=nope", "--deadline=0", "--project=app", "--trigger=@"])
def test_a_flag_with_which_the_server_would_never_start_is_refused(local: LocalMachine, flag: str, token: str) -> None:
    with local.start("register", flag, GITLAB_ACCESS_TOKEN=token) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "nope; known: " in stderr or flag.split("=")[0] in stderr
    assert not local.file.exists()


@pytest.mark.parametrize(
    ("client", "token"),
    [("--print", "${GITLAB_ACCESS_TOKEN}"), ("--print=cursor", "${env:GITLAB_ACCESS_TOKEN}")],
)
def test_for_other_clients_the_entry_has_what_an_editor_lacks(local: LocalMachine, client: str, token: str) -> None:
    environ = {"GITLAB_URL": "https://gitlab.example.com", "GITLAB_PROJECT": "group/app"}
    [server] = json.loads(local.run("register", client, "--project=x/y", **environ))["mcpServers"].values()
    assert server.keys() == {"command", "args", "env"}
    assert server["args"][-2:] == ["serve", "--project=x/y"]
    assert server["env"] == {"GITLAB_URL": "https://gitlab.example.com", "GITLAB_ACCESS_TOKEN": token}


def test_for_vs_code_the_entry_has_the_form_of_vs_code(local: LocalMachine) -> None:
    printed = json.loads(local.run("register", "--print", "vscode", "--read-only"))
    assert printed.keys() == {"inputs", "servers"}
    assert printed["servers"]["gitlab"]["type"] == "stdio"
    assert printed["servers"]["gitlab"]["args"][-2:] == ["serve", "--read-only"]
    [question] = printed["inputs"]
    assert printed["servers"]["gitlab"]["env"] == {"GITLAB_ACCESS_TOKEN": f"${{input:{question['id']}}}"}


def test_what_is_printed_for_another_client_does_not_speak_of_claude_code(local: LocalMachine) -> None:
    stdout, stderr = said(local, "register", "--print", GITLAB_ACCESS_TOKEN="")
    assert "laude" not in stdout.replace(str(local.home), "") + stderr
    assert "No GitLab credential is set here: set one in the client's configuration." in stderr


@pytest.mark.parametrize(
    ("prefix", "marked", "expected"),
    [
        ("cache/uv/archive-v0/abc", "cache/uv", True),
        ("share/pipx/.cache/abc", "", True),
        ("share/uv/tools/gitlab-mcp-server", "", False),
        ("project/.venv", "project/.venv", False),  # uv marks the environments that it creates, too
    ],
)
def test_an_environment_in_a_cache_is_recognized(tmp_path: Path, prefix: str, marked: str, expected: bool) -> None:
    (tmp_path / prefix).mkdir(parents=True)
    if marked:
        (tmp_path / marked / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    assert is_in_cache(tmp_path / prefix) is expected


def test_in_a_cache_the_registered_command_is_that_of_uvx_with_the_source(tmp_path: Path) -> None:
    uvx = tmp_path / "uvx"
    uvx.write_text("#!/bin/sh\n")
    uvx.chmod(0o755)
    here = Registration("/cache/bin/gitlab-mcp-server", ("--read-only",))
    lasting = lasting_registration(here, {"UV": str(tmp_path / "uv"), "PATH": ""})
    assert lasting is not None
    entry = lasting.entry()
    assert entry["command"] == str(uvx)
    assert entry["args"][0] == "--from"
    assert entry["args"][2:] == ["gitlab-mcp-server", "serve", "--read-only"]
    assert (Path(entry["args"][1]) / "pyproject.toml").is_file()
    assert lasting_registration(here, {"PATH": ""}) is None
