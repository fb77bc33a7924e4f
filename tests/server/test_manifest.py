"""The manifest gives, for every configuration and every revision of MCP, what the SDK itself would answer."""

import importlib.metadata
import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.server import manifest
from gitlab_mcp.server.manifest import SDK, Manifest, ManifestTool, is_installed, read_manifest
from gitlab_mcp.tools import TOOLS
from tests.support.conversation import opening_requests, sdk_results
from tests.support.settings import EVERY_TOOLSET, offline_settings

UPDATE = "GOLDEN=update scripts/test tests/server/test_manifest.py"


async def results_of(settings: Settings, revision: str) -> list[dict[str, Any]]:
    """What the SDK answers to the opening requests of a revision."""
    responses = await sdk_results(settings, opening_requests(revision))
    return [responses[number]["result"] for number in range(3)]


async def current_content() -> dict[str, Any]:
    """The manifest as it has to be for today's tools and the installed SDK."""
    revisions: dict[str, Any] = {}
    for revision in reversed(KNOWN_PROTOCOL_VERSIONS):
        greeting, tools, prompts = await results_of(offline_settings(toolsets=EVERY_TOOLSET), revision)
        del greeting["instructions"]
        greeting.pop("protocolVersion", None)
        definitions = {tool["name"]: tool for tool in tools.pop("tools")}
        results = {"greeting": greeting, "tools": definitions, "tools/list": tools, "prompts/list": prompts}
        revisions[revision] = {
            part: next((name for name, other in revisions.items() if other[part] == result), result)
            for part, result in results.items()
        }
    names = [field.name for field in fields(ManifestTool)]
    return {
        SDK: importlib.metadata.version(SDK),
        "tools": [asdict(ManifestTool(*(getattr(tool, name) for name in names))) for tool in TOOLS],
        "revisions": {revision: revisions[revision] for revision in KNOWN_PROTOCOL_VERSIONS},
    }


async def test_the_manifest_is_what_the_sdk_answers_today() -> None:
    text = json.dumps(await current_content(), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("GOLDEN") == "update":
        manifest.PATH.write_text(text)
    assert text == manifest.PATH.read_text(), f"the server's answers changed; if that is wanted: {UPDATE}"


JOB_TOKEN = Credential("job token", "CI_JOB_TOKEN", "glcbt-this-is-not-a-real-token")
JOB: dict[str, Any] = {"in_ci": True, "own_project": ("acme/app", "1")}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "an access token": {},
    "read-only": {"read_only": True},
    "every toolset": {"toolsets": EVERY_TOOLSET},
    "one toolset": {"toolsets": ("pipelines",)},
    "the default and one more": {"toolsets": ("default", "project")},
    "single tools": {"tools": ("get_issue", "commit_files", "delete_branch")},
    "opt-in tools that a job's variable may not add": {"toolsets": EVERY_TOOLSET, "allow_opt_in_tools": False},
    "restricted to projects": {"allow_projects": ("acme/app", "acme/lib")},
    "no project": {"project": ""},
    "a job with an access token": JOB,
    "a job with its job token alone": {**JOB, "credential": JOB_TOKEN},
    "a read-only job": {**JOB, "credential": JOB_TOKEN, "read_only": True, "toolsets": EVERY_TOOLSET},
}


@pytest.mark.parametrize("revision", KNOWN_PROTOCOL_VERSIONS)
@pytest.mark.parametrize("changes", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
async def test_each_configuration_gets_what_the_sdk_would_answer(changes: dict[str, Any], revision: str) -> None:
    settings = replace(offline_settings(), **changes)
    composed = read_manifest(settings)
    assert composed
    greeting = composed.greeting(revision)
    if revision in HANDSHAKE_PROTOCOL_VERSIONS:
        greeting["protocolVersion"] = revision
    assert [greeting, composed.tools(revision), composed.prompts(revision)] == await results_of(settings, revision)


@pytest.mark.parametrize("revision", KNOWN_PROTOCOL_VERSIONS)
async def test_clients_may_keep_each_list_because_none_changes(revision: str) -> None:
    results = await results_of(offline_settings(), revision)
    assert results[0]["capabilities"] == {"prompts": {"listChanged": False}, "tools": {"listChanged": False}}
    hints = [None] * 3 if revision in HANDSHAKE_PROTOCOL_VERSIONS else [(3_600_000, "private")] * 3
    assert [(each["ttlMs"], each["cacheScope"]) if "ttlMs" in each else None for each in results] == hints


def test_a_manifest_of_another_version_of_the_sdk_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = json.loads(manifest.PATH.read_text())
    changed = tmp_path / "manifest.json"
    changed.write_text(json.dumps({**content, SDK: "2.2.0"}))
    monkeypatch.setattr(manifest, "PATH", changed)
    assert read_manifest(offline_settings()) is None


@pytest.mark.parametrize("distribution", [SDK, "click", "pydantic"])
def test_an_installed_version_is_found_without_the_metadata(distribution: str) -> None:
    version = importlib.metadata.version(distribution)
    assert is_installed(distribution, version)
    assert not is_installed(distribution, f"{version}.1")


def test_the_manifest_knows_every_tool_in_the_order_of_the_list() -> None:
    content = json.loads(manifest.PATH.read_text())
    assert [tool["name"] for tool in content["tools"]] == [tool.name for tool in TOOLS]
    assert list(Manifest(content, offline_settings()).revisions) == list(KNOWN_PROTOCOL_VERSIONS)
