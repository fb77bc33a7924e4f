"""The entry point: a client that starts the server is served at once, everything else goes to the command line.

Only the module `main` imports click, which takes longer than all that is needed to serve a client.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import fields

from gitlab_mcp.config.settings import Flags, SettingsError

OPTIONS = {f"--{field.name.replace('_', '-')}": field for field in fields(Flags)}


def run() -> None:
    """Run `gitlab-mcp-server` with the arguments of this process."""
    plain = None if "_GITLAB_MCP_SERVER_COMPLETE" in os.environ else plain_arguments(sys.argv[1:])
    if plain is None:
        from gitlab_mcp.cli.main import main

        main()
        return
    command, flags = plain
    try:
        if command == "serve":
            from gitlab_mcp.server import startup

            startup.serve(flags)
        from gitlab_mcp.ci.bare_start import bare_start

        bare_start(flags, os.environ, trust_project=False)
    except SettingsError as error:
        sys.exit(report(error))


def report(error: SettingsError) -> int:
    """Print what is wrong with the configuration; returns the exit code."""
    print(f"gitlab-mcp-server: {error}", file=sys.stderr)  # noqa: T201  # for a person
    return 2


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
            values[field.name] = float(value) if isinstance(field.default, float) else value
        except ValueError:
            return None
    return command, Flags(**values)  # type: ignore[arg-type]  # each value has the type of its field's default
