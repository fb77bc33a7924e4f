"""The manifest: the server's answers to the first requests of every client, as a file beside this module.

It holds, for each revision of MCP, the results of `initialize` or `server/discover`, `tools/list` and `prompts/list` as
the SDK gives them with every tool enabled. `GOLDEN=update scripts/test tests/server/test_manifest.py` writes it.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.server.instructions import instructions
from gitlab_mcp.server.toolsets import needing_access_token, selected

PATH = Path(__file__).with_name("manifest.json")
SDK = "mcp"  # the distribution whose answers the manifest holds


@dataclass(frozen=True)
class ManifestTool:
    """What decides whether a run lists a tool."""

    name: str
    toolset: str
    writes: bool
    opt_in: bool
    job_token: bool


class Manifest:
    """The results that a run's SDK would give, by revision of MCP.

    `content` is the parsed file: {"mcp": the SDK's version, "tools": [a ManifestTool as an object, ...],
    "revisions": {revision: {"greeting": ..., "tools": {name: definition}, "tools/list": ..., "prompts/list": ...}}}.
    A greeting is the result of `initialize` or `server/discover` without instructions, "tools/list" a result without
    its tools. Instead of a part there may be the name of another revision, of which it is the same.
    """

    def __init__(self, content: dict[str, Any], settings: Settings) -> None:
        tools = [ManifestTool(**tool) for tool in content["tools"]]
        self._revisions: dict[str, Any] = content["revisions"]
        self._listed = [tool.name for tool in selected(settings, tools)]
        needing = sorted(tool.name for tool in needing_access_token(settings, tools) if not tool.opt_in)
        self._instructions = instructions(settings, self._listed, needing)

    @property
    def revisions(self) -> Sequence[str]:
        """The revisions of MCP, oldest first."""
        return list(self._revisions)

    def greeting(self, revision: str) -> dict[str, Any]:
        """The result of `initialize`, or of `server/discover` where the revision has no handshake."""
        return {**self._part(revision, "greeting"), "instructions": self._instructions}

    def tools(self, revision: str) -> dict[str, Any]:
        """The result of `tools/list`."""
        definitions = self._part(revision, "tools")
        return {**self._part(revision, "tools/list"), "tools": [definitions[name] for name in self._listed]}

    def prompts(self, revision: str) -> dict[str, Any]:
        """The result of `prompts/list`."""
        return self._part(revision, "prompts/list")

    def _part(self, revision: str, name: str) -> dict[str, Any]:
        part: dict[str, Any] | str = self._revisions[revision][name]
        return self._part(part, name) if isinstance(part, str) else part


def read_manifest(settings: Settings) -> Manifest | None:
    """The manifest for a run; None where it was made with another version of the SDK than the installed one.

    Raises SettingsError for an unknown toolset or tool in `settings`.
    """
    content = json.loads(PATH.read_bytes())
    return Manifest(content, settings) if is_installed(SDK, content[SDK]) else None


def is_installed(distribution: str, version: str) -> bool:
    """Whether a version of a distribution is installed; importlib.metadata would take longer than all else here."""
    return any(os.path.isdir(os.path.join(folder, f"{distribution}-{version}.dist-info")) for folder in sys.path)  # noqa: PTH112, PTH118
