"""The entry point: a client that starts the server is served at once, everything else goes to the command line.

Only the module `main` imports click, which takes longer than all that is needed to serve a client.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields

from gitlab_mcp.cli.ending import end_unconfigured, ends_quietly
from gitlab_mcp.config.environment import is_any_ci
from gitlab_mcp.config.settings import Flags, SettingsError
from gitlab_mcp.git.search_path import search_path

OPTIONS = {f"--{field.name.replace('_', '-')}": field for field in fields(Flags)}
NUMBERS = {"deadline": float, "connections": int}


def run() -> None:
    """Run `gitlab-mcp-server` with the arguments of this process."""
    os.environ["PATH"] = search_path(os.environ)  # for every program that any command starts
    flags = None if "_GITLAB_MCP_SERVER_COMPLETE" in os.environ else serving_flags(sys.argv[1:], os.environ)
    if flags is None:
        from gitlab_mcp.cli.main import main

        with ends_quietly():
            main()
        return
    from gitlab_mcp.server import startup

    try:
        startup.serve(flags)
    except SettingsError as error:
        end_unconfigured(error)


def serving_flags(arguments: Sequence[str], environ: Mapping[str, str]) -> Flags | None:
    """The flags of a process that serves a client; None where click has to read the arguments, or there is none."""
    plain = plain_arguments(arguments)
    if plain is None:
        return None
    command, flags = plain
    if command == "serve":
        return flags
    from gitlab_mcp.ci.stdin_probe import Input, look

    return None if is_any_ci(environ) or look() in (Input.TERMINAL, Input.ENDED) else flags


def plain_arguments(arguments: Sequence[str]) -> tuple[str, Flags] | None:
    """The command, "serve" or "" for none, and its flags; None where click has to read the arguments.

    That is where there is another command, an argument that is not a flag of the configuration or is given twice, a
    value that cannot be used or begins with -.
    """
    command, values = "", dict[str, str | bool | float]()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "serve" and not command:
            command = argument
            continue
        name, equals, value = argument.partition("=")
        field = OPTIONS.get(name)
        if field is None or field.name in values:
            return None
        if isinstance(field.default, bool):
            if equals:
                return None
            values[field.name] = True
            continue
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        try:
            values[field.name] = NUMBERS.get(field.name, str)(value)
        except ValueError:
            return None
    return command, Flags(**values)  # type: ignore[arg-type]  # each value has the type of its field's default
