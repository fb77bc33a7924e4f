"""The MCP server: which tools a run has, what it tells the model at the start, and how failures are worded."""

import difflib
import logging
from dataclasses import replace
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, GetPromptResult, InputRequiredResult
from pydantic import ValidationError

from gitlab_mcp import __version__
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.render.markdown import ERROR_BYTES, cut
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.server.binding import bind, unknown_arguments, wrong_arguments
from gitlab_mcp.server.instructions import instructions
from gitlab_mcp.server.prompts import check, prompts
from gitlab_mcp.server.toolsets import DEFAULT, MY_WORK, needing_access_token, selected
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.context import App


class GitLabServer(MCPServer[Any]):
    """The SDK's server with our own words for a wrong call.

    The SDK's are pydantic's report and a prefix that repeats the tool's name; it drops unknown arguments in silence.
    """

    def __init__(self, settings: Settings) -> None:
        self._app = App(settings)
        self._secrets = settings.secret_values
        self._bound = {definition.name: bind(definition, self._app) for definition in selected(settings)}
        needing = needing_access_token(settings)
        self._needing_access_token = {definition.name for definition in needing}
        super().__init__(
            "gitlab",
            title="GitLab",
            version=__version__,
            instructions=instructions(
                settings, list(self._bound), sorted(each.name for each in needing if not each.opt_in)
            ),
            tools=list(self._bound.values()),
            log_level="WARNING",
        )
        for prompt in prompts(self._bound):
            self.add_prompt(prompt)
        # Spans would go nowhere here, and cost a tenth of a call.
        self.middleware[:] = [layer for layer in self.middleware if type(layer).__name__ != "OpenTelemetryMiddleware"]

    def close(self) -> None:
        """End what still runs for this server and remove what it has on the disk."""
        self._app.close()

    @property
    def lowlevel(self) -> Server[Any]:
        """The server that a transport runs."""
        return self._lowlevel_server

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        found = self._bound.get(name)
        if found is None:
            raise ToolError(self._shown(self._unknown_tool(name)))
        arguments = without_nulls(arguments)
        if told := unknown_arguments(found, arguments):
            raise ToolError(self._shown(told))
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            hints = found.annotations
            effect = "" if hints and hints.read_only_hint else " Whether it took effect is not known."
            raise UnexpectedToolError(
                f"{name} failed because of a fault in gitlab-mcp-server itself, not in the call.{effect}"
                " The server's log (stderr) has the details."
            ) from error.__cause__
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(self._shown(wrong_arguments(found, error.__cause__))) from None
            raise ToolError(str(error).removeprefix(f"Error executing tool {name}: ")) from error.__cause__

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        check(name, arguments or {})
        return await super().get_prompt(name, arguments, context)

    def _shown(self, text: str) -> str:
        return cut(redact(text, self._secrets), ERROR_BYTES)

    def _unknown_tool(self, name: str) -> str:
        if name in self._needing_access_token:
            return _needing(name)
        settings = self._app.settings
        there = next((definition for definition in TOOLS if definition.name == name), None)
        if there and there.toolset == MY_WORK and settings.in_ci:
            return f"{name} looks across projects, and a job has only its own."
        if there and there.toolset == MY_WORK and settings.allow_projects:
            confined = ", ".join(filter(None, (*settings.own_project, *settings.allow_projects)))
            return f"{name} looks across projects, and this run is confined to {confined}."
        if there and there.opt_in and not (there.writes and settings.read_only):
            asked = replace(settings, toolsets=(DEFAULT, there.toolset), tools=(), allow_opt_in_tools=True)
            if there in needing_access_token(asked):
                return _needing(name)
            return f"{name} is not listed in this run: --toolsets default,{there.toolset} brings it."
        if there:
            return f"{name} is switched off in this run (--read-only, --toolsets or --tools)."
        near = difflib.get_close_matches(name, self._bound, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        return f"There is no tool {name[:60]!r}.{meant} The tools: {', '.join(self._bound)}."


def _needing(name: str) -> str:
    return (
        f"{name} needs GITLAB_ACCESS_TOKEN with scope api: this run has only CI_JOB_TOKEN, with which GitLab does not"
        " allow it."
    )


def without_nulls(value: Any) -> Any:
    """Arguments without what is null at any depth: a model writes null for "not given"."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def build_server(settings: Settings) -> GitLabServer:
    """The server of a run. Nothing of GitLab is asked yet, so it starts also when GitLab is down.

    Raises SettingsError for an unknown toolset or tool, or a CA file without a certificate.
    """
    logging.getLogger("mcp").setLevel(logging.WARNING)
    return GitLabServer(settings)
