"""The entry of this server for other clients, and what the entry for Claude Code leaves out."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from gitlab_mcp.config.environment import SettingsError, flag, variable
from gitlab_mcp.config.settings import Flags, secrets_of

# The variables that a flag can stand for, by the name of the flag's field.
FLAG_VARIABLES = {
    "url": "GITLAB_URL",
    "project": "GITLAB_PROJECT",
    **{
        name: f"GITLAB_MCP_{name.upper()}"
        for name in ("read_only", "toolsets", "tools", "allow_project", "trusted_only", "trigger")
    },
}
CLIENTS = {
    "cursor": "For Cursor: .cursor/mcp.json, or ~/.cursor/mcp.json for all projects.",
    "vscode": "For VS Code: .vscode/mcp.json, or the command MCP: Open User Configuration. It asks for the token once.",
    "other": (
        "For clients with a list mcpServers; fill in the token where the client does not expand variables."
        " --print=cursor and --print=vscode print the forms of Cursor and VS Code."
    ),
}


def client_entry(client: str, entry: Mapping[str, Any], flags: Flags, environ: Mapping[str, str]) -> tuple[str, str]:
    """The JSON for a client ("cursor", "vscode" or "other"), and a line that says where it belongs.

    An editor has neither the variables of this shell nor its PATH, so that GitLab and the project are written into it;
    for the token there is a reference.
    """
    names = [FLAG_VARIABLES[name] for name in ("url", "project") if not getattr(flags, name)]
    values = {name: variable(environ, name) for name in names if variable(environ, name)}
    command = {"command": entry["command"], "args": entry["args"]}
    if client == "vscode":
        question = {"type": "promptString", "id": "token", "description": "GitLab access token", "password": True}
        server = {"type": "stdio", **command, "env": {**values, "GITLAB_ACCESS_TOKEN": "${input:token}"}}
        document: dict[str, Any] = {"inputs": [question], "servers": {"gitlab": server}}
    else:
        form = "${env:GITLAB_ACCESS_TOKEN}" if client == "cursor" else "${GITLAB_ACCESS_TOKEN}"
        document = {"mcpServers": {"gitlab": {**command, "env": {**values, "GITLAB_ACCESS_TOKEN": form}}}}
    return json.dumps(document, indent=2, ensure_ascii=False), CLIENTS[client]


def left_out(flags: Flags, environ: Mapping[str, str]) -> str:
    """A sentence on the variables of this shell that the entry lacks, and how to write them; "" where none is set."""
    from gitlab_mcp.claude_code import RegistrationError, flag_arguments

    given = flags.given()
    values: dict[str, Any] = {}
    for field in fields(Flags):
        name = FLAG_VARIABLES.get(field.name, "")
        if not name or field.name in given or not variable(environ, name):
            continue
        value = flag(environ, name) if isinstance(field.default, bool) else variable(environ, name)
        values |= {field.name: value} if value else {}
    if not values:
        return ""
    names = [FLAG_VARIABLES[name] for name in values]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    verb, them = ("are", "they hold") if names[1:] else ("is", "it holds")
    text = (
        f"{listed} of this shell {verb} not in the entry: {them} only where claude is started with the same variables."
    )
    try:
        arguments = flag_arguments(replace(flags, **values), secrets_of(environ))
    except (RegistrationError, SettingsError):
        return text
    return f"{text} To write them: {shlex.join(['gitlab-mcp-server', 'register', *arguments])}"
