"""Start the server on stdin and stdout: the first requests are answered while the MCP SDK is still being loaded."""

import gc
import os
import signal
import sys
import threading
from contextlib import nullcontext, suppress
from typing import NoReturn

from gitlab_mcp.config.certificates import add_ca_files
from gitlab_mcp.config.environment import working_directory
from gitlab_mcp.config.settings import Flags, Settings, SettingsError, read_settings
from gitlab_mcp.server.manifest import SDK, read_manifest
from gitlab_mcp.server.opening import InstantAnswers, Opening
from gitlab_mcp.server.pipes import WRITING_AFTER_END, Pipes

# Between two looks at whether another thread wants to run. The thread that answers needs to run several times a message
# while this one imports, which it does without a pause.
SWITCH_INTERVAL = 0.0005  # seconds


def serve(flags: Flags) -> NoReturn:
    """Serve MCP on stdin and stdout until the client closes them or a signal comes, then end the process.

    Raises SettingsError when the configuration cannot be used.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # until the transport handles signals, after the slow imports
    settings = read_settings(flags, os.environ, working_directory())
    if sys.stdin is None or sys.stdout is None:
        raise SettingsError("An MCP client communicates over stdin and stdout, and one of them is closed.")
    if settings.ca_files:
        import ssl  # takes time to import, and few runs need it before the first request

        # Before anything is answered, so that a wrong file ends the start.
        add_ca_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), settings.ca_files)
    answers = None if flags.no_instant_start else instant_answers(settings)
    if sys.stdin.isatty():
        print("Waiting for an MCP client on stdin; Ctrl-C ends it.", file=sys.stderr)  # noqa: T201  # for a person
    collecting, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()  # nothing that an import makes is garbage
    sys.setswitchinterval(SWITCH_INTERVAL)
    pipes, opening = open_connection(answers)

    # Imported here because importing the SDK takes most of the time until the server is complete.
    from gitlab_mcp.server.sdk_import import light_import

    with light_import() if answers else nullcontext():
        import gitlab_mcp.api.client  # noqa: F401  # what warm_up needs; two threads that import hold each other up

        threading.Thread(target=warm_up, args=(settings,), name="warm-up", daemon=True).start()
        from gitlab_mcp.safety.logging import log_to_stderr
        from gitlab_mcp.server.server import build_server
        from gitlab_mcp.server.stdio import serve_stdio

    log_to_stderr(settings.secret_values)
    server = build_server(settings)
    gc.freeze()
    if collecting:
        gc.enable()
    sys.setswitchinterval(interval)
    serve_stdio(server, pipes, opening)


def warm_up(settings: Settings) -> None:
    """Do what the first call would otherwise have to wait for, on a thread beside the import of the SDK."""
    from gitlab_mcp.api.http import tls_context
    from gitlab_mcp.api.python_gitlab import python_gitlab
    from gitlab_mcp.git.process import GitError, until
    from gitlab_mcp.git.scratch_repository import require_version

    tls_context(settings.ca_files)
    python_gitlab()
    if settings.push_token:
        with suppress(GitError):  # the call that needs git says what is wrong with it
            require_version(until(settings.deadline))


def instant_answers(settings: Settings) -> InstantAnswers | None:
    """The answers from the manifest; None where the configuration or the installed SDK does not allow them.

    Raises SettingsError for an unknown toolset or tool.
    """
    manifest = read_manifest(settings)
    if manifest is None:
        print(  # noqa: T201  # for whoever installed it; logging is not imported yet
            f"gitlab-mcp-server: its manifest was made for another version of {SDK}: the start takes longer.",
            file=sys.stderr,
        )
    return InstantAnswers(manifest) if manifest else None


def open_connection(answers: InstantAnswers | None) -> tuple[Pipes, Opening]:
    """Begin to read from the client.

    From now on file descriptor 0 is the null device and 1 is stderr, so that only the protocol reaches the client,
    whatever a library prints, and no child process reads the client's messages.
    """
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)

    def end() -> None:
        pipes.flush(WRITING_AFTER_END)
        os._exit(0)

    pipes = Pipes(wire_in, wire_out, on_broken=lambda: os._exit(0))
    opening = Opening(answers, pipes.send, end)
    pipes.start(opening.receive)
    return pipes, opening
