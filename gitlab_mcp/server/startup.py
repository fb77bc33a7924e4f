"""Start the server on stdin and stdout."""

import os
import signal
import sys
from typing import NoReturn

from gitlab_mcp.config.environment import working_directory
from gitlab_mcp.config.settings import Flags, SettingsError, read_settings


def serve(flags: Flags) -> NoReturn:
    """Serve MCP on stdin and stdout until the client closes them or a signal comes, then end the process.

    Raises SettingsError when the configuration cannot be used.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # until the transport handles signals, after the slow imports
    settings = read_settings(flags, os.environ, working_directory())
    if sys.stdin is None or sys.stdout is None:
        raise SettingsError("An MCP client communicates over stdin and stdout, and one of them is closed.")
    if sys.stdin.isatty():
        print("Waiting for an MCP client on stdin; Ctrl-C ends it.", file=sys.stderr)  # noqa: T201  # for a person
    # Imported here because importing the SDK takes most of the time until the first response.
    from gitlab_mcp.safety.logging import log_to_stderr
    from gitlab_mcp.server.server import build_server
    from gitlab_mcp.server.stdio import serve_stdio

    log_to_stderr(settings.secret_values)
    server = build_server(settings)
    serve_stdio(server.lowlevel, server.close)
