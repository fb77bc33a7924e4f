"""server.json, with which MCP registries describe this server, and what else names it before it is installed."""

import json
import re
from typing import Any

import jsonschema
import pytest

from gitlab_mcp import __version__
from tests.support.paths import REPOSITORY

# What the schema of 2025-12-11 demands of the fields that this file may have, in our own words. The registry's own
# checks are stricter about names: both parts begin and end with a letter or a digit (modelcontextprotocol/registry,
# internal/validators/schemas/2025-12-11.json and validators.go).
NAME = r"^[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]/[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]$"
DEMANDED = {
    "type": "object",
    "required": ["$schema", "name", "description", "version"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "minLength": 3, "maxLength": 200, "pattern": NAME},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        # One version: no range such as ^1.2 or 1.x, and not "latest".
        "version": {"type": "string", "maxLength": 255, "pattern": r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"},
    },
}


def read(path: str) -> Any:
    return json.loads((REPOSITORY / path).read_text(encoding="utf-8"))


def test_a_registry_accepts_the_file_and_it_sends_nobody_to_a_package() -> None:
    # DEMANDED has no packages and no remotes: no index has this project under its name.
    jsonschema.validate(read("server.json"), DEMANDED)


def test_the_readme_declares_the_name_of_the_file() -> None:
    # The registry looks for this marker in the README of a package (internal/validators/registries/mcpname.go).
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"mcp-name: ([\w./-]+)", readme) == [read("server.json")["name"]]


@pytest.mark.parametrize("path", ["server.json", ".claude-plugin/plugin.json"])
def test_the_version_is_that_of_the_package(path: str) -> None:
    assert read(path)["version"] == __version__


def test_the_marketplace_offers_the_plugin_of_this_repository() -> None:
    marketplace, plugin = read(".claude-plugin/marketplace.json"), read(".claude-plugin/plugin.json")
    [offered] = marketplace["plugins"]
    assert offered["source"] == "./"
    assert (offered["name"], offered["description"]) == (plugin["name"], plugin["description"])
    # It starts what the plugin holds, never a package of an index.
    [server] = plugin["mcpServers"].values()
    assert server["args"][:2] == ["--from", "${CLAUDE_PLUGIN_ROOT}"]
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"claude plugin install {plugin['name']}@{marketplace['name']}" in readme
