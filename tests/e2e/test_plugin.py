"""The Claude Code plugin of this repository, installed by the real CLI from the marketplace in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import Place, claude, claude_for, fresh_place, missing, needs_claude
from tests.e2e.model import Call, Model
from tests.support.paths import REPOSITORY

PREFIX = "mcp__plugin_gitlab_gitlab__"
SECONDS = 300.0
needs_uv = pytest.mark.skipif(bool(missing("uvx")), reason=missing("uvx"))
# Package indexes, proxies and certificates stay as they are here.
KEPT = ("UV_", "PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "NODE_EXTRA_CA_CERTS")


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A place with a clone of this repository as the marketplace, and the plugin installed from it."""
    with fresh_place() as fresh:
        marketplace = fresh.folder / "marketplace"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(marketplace)], check=True)
        for command in (("marketplace", "add", str(marketplace)), ("install", "gitlab@gitlab-mcp-server")):
            done = fresh.run(claude_for(fresh), "plugin", *command, env=environment(fresh), timeout=SECONDS)
            assert done.returncode == 0, done.stdout + done.stderr
        yield fresh


def environment(place: Place, **given: str) -> dict[str, str]:
    """The environment of a user who has uv."""
    uvx = shutil.which("uvx")
    assert uvx is not None
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    whole = place.environment(**kept, UV_SYSTEM_CERTS="1", UV_NO_PROGRESS="1", MCP_TIMEOUT="240000", **given)
    return {**whole, "PATH": f"{os.path.dirname(uvx)}:{whole['PATH']}"}  # noqa: PTH120


def credential(sandbox: Sandbox) -> Mapping[str, str]:
    return {
        "GITLAB_URL": sandbox.url,
        "GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"],
        "GITLAB_PROJECT": sandbox.project,
    }


@needs_claude
@needs_uv
def test_the_plugin_connects_and_its_tools_and_prompts_are_there(place: Place, sandbox: Sandbox) -> None:
    env = environment(place, **credential(sandbox))
    listed = place.run(claude_for(place), "mcp", "list", env=env, timeout=SECONDS)
    assert "plugin:gitlab:gitlab" in listed.stdout, listed.stdout + listed.stderr
    assert "Connected" in listed.stdout
    with Model([Call(f"{PREFIX}get_issue", {"iid": 7})]) as model:
        done = claude(
            place,
            model,
            prompt=f"/{PREFIX}implement_issue 7",
            allowed=PREFIX.removesuffix("__"),
            env=env,
            timeout=SECONDS,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "DONE"), done.stderr
    assert f"{PREFIX}commit_files" in model.requests[0].tools_in_full
    assert "Implement issue #7" in model.requests[0].said("user")
    assert model.requests[-1].results[0].text.startswith("# #7 Crash when the config file is empty")


@needs_claude
def test_the_cli_finds_both_manifests_valid() -> None:
    with fresh_place() as place:
        done = place.run(claude_for(place), "plugin", "validate", "--strict", str(REPOSITORY))
    assert done.returncode == 0, done.stdout + done.stderr
