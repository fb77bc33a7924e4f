"""The entry of this server in the files from which Claude Code reads its MCP servers."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from gitlab_mcp.claude_code.json_file import PRIVATE, Document, RegistrationError, change, object_at, user_file
from gitlab_mcp.config.settings import Flags
from gitlab_mcp.git.process import common_directory, search_path
from gitlab_mcp.safety.redact import redact

Scope = Literal["user", "project", "local"]

SERVER_NAME = "gitlab"
SHARED = 0o644  # a project's file is committed, so it contains no secret
# Claude Code runs the server in the checkout: without -P Python would import modules from there.
MODULE = ("-P", "-m", "gitlab_mcp")


@dataclass(frozen=True)
class Registration:
    """How the server is started: an absolute command, and the flags that follow `serve`."""

    command: str
    arguments: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """The JSON object under the server's name in `mcpServers`."""
        before = MODULE if self.command == sys.executable else ()
        # Without alwaysLoad the first turn has no tools while the server is starting, and later only their names.
        return {
            "type": "stdio",
            "command": self.command,
            "args": [*before, "serve", *self.arguments],
            "env": {},
            "alwaysLoad": True,
        }


def own_command() -> str:
    """The absolute path of the running command; that of Python where it runs as `python -m gitlab_mcp`.

    A link such as /bin/gitlab-mcp-server is not followed: its target may change later.
    """
    started = sys.argv[0]
    if Path(started).name != "__main__.py":
        path = started if os.sep in started else shutil.which(started, path=search_path(os.environ))
        if path and os.access(path, os.X_OK):
            return str(Path(path).absolute())
    return sys.executable


def own_registration(flags: Flags, secret_values: Iterable[str]) -> Registration:
    """The running command with `flags`. Raises RegistrationError when a flag contains one of `secret_values`."""
    return Registration(own_command(), flag_arguments(flags, secret_values))


def flag_arguments(flags: Flags, secret_values: Iterable[str]) -> tuple[str, ...]:
    """`flags` as command-line arguments.

    Raises RegistrationError when one contains a value of `secret_values`, or `${`, which Claude Code would expand.
    """
    secrets = [value for value in secret_values if value]
    arguments = []
    for field in fields(flags):
        value = getattr(flags, field.name)
        option = f"--{field.name.replace('_', '-')}"
        if not value:
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if any(secret in text for secret in secrets) or redact(text) != text or "@" in text.partition("//")[2]:
            raise RegistrationError(f"{option} contains a secret, which would be written to a file: leave it out.")
        if "${" in text:
            raise RegistrationError(
                f"{option} contains ${{...}}, which Claude Code would replace: write the value itself."
            )
        arguments.append(option if value is True else f"{option}={text}")
    return tuple(arguments)


def register(registration: Registration, scope: Scope, environ: Mapping[str, str], directory: Path) -> Path:
    """Write the entry of this server and return the path of the file; a file that has it already is not written.

    Raises RegistrationError when the file does not contain a JSON object, or cannot be read or written.
    """
    path, keys = _place(scope, environ, directory)
    entry = registration.entry()

    def add(document: Document) -> bool:
        servers = object_at(path, document, *keys)
        changed = servers.get(SERVER_NAME) != entry
        servers[SERVER_NAME] = entry
        return changed

    change(path, add, SHARED if scope == "project" else PRIVATE)
    return path


def unregister(scope: Scope, environ: Mapping[str, str], directory: Path) -> bool:
    """Remove the entry of this server; returns whether it existed. Raises RegistrationError as `register` does."""
    path, keys = _place(scope, environ, directory)

    def remove(document: Document) -> bool:
        return object_at(path, document, *keys).pop(SERVER_NAME, None) is not None

    return change(path, remove)


def _place(scope: Scope, environ: Mapping[str, str], directory: Path) -> tuple[Path, tuple[str, ...]]:
    """The file of a scope, and the keys that lead to its servers."""
    if scope == "user":
        return user_file(environ), ("mcpServers",)
    if scope == "local":
        return user_file(environ), ("projects", str(project_folder(directory)), "mcpServers")
    path = directory.absolute() / ".mcp.json"
    if not _is_below(path, directory):
        raise RegistrationError(f"{path} is a link that leads out of its folder: replace it with a file.")
    return path, ("mcpServers",)


def _is_below(path: Path, directory: Path) -> bool:
    # A checkout is untrusted: a link in it must not choose which file is written.
    try:
        return path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError):
        return False


def project_folder(directory: Path) -> Path:
    """The folder that Claude Code takes for the project of `directory`: its checkout.

    For a linked work tree of git that is the main work tree.
    """
    here = directory.resolve()
    for folder in (here, *here.parents):
        if os.path.lexists(folder / ".git"):
            try:
                common = common_directory(folder)
            except OSError:
                return folder
            return common.parent if common.name == ".git" else folder
    return here
