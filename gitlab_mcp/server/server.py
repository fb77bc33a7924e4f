"""The MCP server of a run: its tools, instructions and prompts, and the wording of errors about wrong calls."""

import difflib
import logging
from dataclasses import replace
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, GetPromptResult, InputRequiredResult
from pydantic import ValidationError

from gitlab_mcp import __version__
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import NOT_KNOWN, listed_tools
from gitlab_mcp.render.markdown import ERROR_BYTES, cut
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.server.binding import BoundTools, unknown_arguments, wrong_arguments
from gitlab_mcp.server.empty_arguments import without_empties
from gitlab_mcp.server.instructions import instructions
from gitlab_mcp.server.links import from_links
from gitlab_mcp.server.prompts import check, prompts
from gitlab_mcp.server.toolsets import DEFAULT, MY_WORK, needing_access_token, selected
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.context import App

# MCP 2026-07-28, server/utilities/caching.
LISTS_CACHE = CacheHint(ttl_ms=3_600_000, scope="private")
RESOURCE_METHODS = ("resources/list", "resources/read", "resources/templates/list")


class GitLabServer(MCPServer[Any]):
    """The SDK's server with its own error messages for a wrong call.

    The SDK would send pydantic's report behind a prefix that repeats the tool's name, and silently drop unknown
    arguments.
    """

    def __init__(self, settings: Settings) -> None:
        self._app = App(settings)
        self._secrets = settings.secret_values
        tools = BoundTools(selected(settings, TOOLS), self._app)
        needing = needing_access_token(settings, TOOLS)
        self._needing_access_token = {definition.name for definition in needing}
        super().__init__(
            "gitlab",
            title="GitLab",
            version=__version__,
            instructions=instructions(settings, tools.names, sorted(tool.name for tool in needing if not tool.opt_in)),
            log_level="WARNING",
            # None of the lists changes while a process runs, and two users' lists may differ.
            cache_hints=dict.fromkeys(("server/discover", "tools/list", "prompts/list"), LISTS_CACHE),
            subscriptions=False,
        )
        for method in RESOURCE_METHODS:  # the SDK would declare the capability though there are no resources
            self._lowlevel_server._request_handlers.pop(method)  # it has no other way
        self._tool_manager = self._tools = tools  # the SDK takes only tools that are bound already
        for prompt in prompts(tools.names):
            self.add_prompt(prompt)
        # Nothing exports OpenTelemetry spans here, and recording them takes a tenth of the time of a call.
        self.middleware[:] = [layer for layer in self.middleware if type(layer).__name__ != "OpenTelemetryMiddleware"]

    def close(self) -> None:
        """End the git processes that still run for this server and remove its repositories from the disk."""
        self._app.close()

    async def prepare(self) -> None:
        """Do what the first call of each tool would otherwise have to wait for."""
        CallToolResult.model_rebuild()
        await self._tools.bind_all()

    @property
    def lowlevel(self) -> Server[Any]:
        """The SDK's low-level server, which a transport runs."""
        return self._lowlevel_server

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        bound = self._tools.get_tool(name)
        if bound is None:
            raise ToolError(self._safe(self._unknown_tool(name)))
        arguments = without_nulls(arguments)
        if message := unknown_arguments(bound, arguments):
            raise ToolError(self._safe(message))
        arguments = without_empties(arguments, bound.fn_metadata.arg_model)
        listed_tools.set(frozenset(self._tools.names))
        try:
            arguments = from_links(arguments, bound.parameters["properties"])
        except ValueError as error:
            raise ToolError(self._safe(f"{name}: {error}")) from None
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            hints = bound.annotations
            effect = "" if hints and hints.read_only_hint else f" {NOT_KNOWN}"
            raise UnexpectedToolError(
                f"{name} failed: internal error in gitlab-mcp-server, not caused by the call.{effect}"
                " The server's log (stderr) has the details."
            ) from error.__cause__
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(self._safe(wrong_arguments(bound, error.__cause__))) from None
            raise ToolError(str(error).removeprefix(f"Error executing tool {name}: ")) from error.__cause__

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        check(name, arguments or {})
        return await super().get_prompt(name, arguments, context)

    def _safe(self, text: str) -> str:
        """Return an error message without secrets, in at most ERROR_BYTES."""
        return cut(redact(text, self._secrets), ERROR_BYTES)

    def _unknown_tool(self, name: str) -> str:
        """Return the error message for a tool that this run does not list: why not, and which option lists it."""
        if name in self._needing_access_token:
            return _needs_access_token(name)
        settings = self._app.settings
        definition = next((tool for tool in TOOLS if tool.name == name), None)
        if definition is None:
            near = difflib.get_close_matches(name, self._tools.names, n=1)
            suggestion = f" Did you mean {near[0]}?" if near else ""
            return f"There is no tool {name[:60]!r}.{suggestion} The tools: {', '.join(self._tools.names)}."
        if definition.toolset == MY_WORK and settings.in_ci:
            return f"{name} looks across projects, and a job has only its own."
        if definition.toolset == MY_WORK and settings.allow_projects:
            allowed = ", ".join(filter(None, (*settings.own_project, *settings.allow_projects)))
            return f"{name} looks across projects, and this run is restricted to {allowed}."
        if definition.opt_in and not (definition.writes and settings.read_only):
            with_toolset = replace(settings, toolsets=(DEFAULT, definition.toolset), tools=(), allow_opt_in_tools=True)
            if definition in needing_access_token(with_toolset, TOOLS):
                return _needs_access_token(name)
            return f"{name} is not listed in this run: --toolsets default,{definition.toolset} adds it."
        return f"{name} is switched off in this run (--read-only, --toolsets or --tools)."


def _needs_access_token(name: str) -> str:
    return (
        f"{name} needs GITLAB_ACCESS_TOKEN with scope api: this run has only CI_JOB_TOKEN, with which GitLab does not"
        " allow it."
    )


def without_nulls(value: Any) -> Any:
    """Return `value` without nulls at any depth: models write null for an argument that they do not give."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def build_server(settings: Settings) -> GitLabServer:
    """Build the server of a run. It sends no request yet, so that it starts even when GitLab is down.

    Raises SettingsError for an unknown toolset or tool, or a CA file without a certificate.
    """
    logging.getLogger("mcp").setLevel(logging.WARNING)
    return GitLabServer(settings)
