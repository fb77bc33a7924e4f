"""The entry of this server in the files from which Claude Code reads its MCP servers."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from gitlab_mcp.claude_code.json_file import PRIVATE, Document, RegistrationError, change, object_at, user_file
from gitlab_mcp.config.settings import Flags
from gitlab_mcp.git.process import common_directory
from gitlab_mcp.git.search_path import search_path
from gitlab_mcp.safety.redact import redact

Scope = Literal["user", "project", "local"]

SERVER_NAME = "gitlab"
COMMAND = "gitlab-mcp-server"
SHARED = 0o644  # a project's file is committed, so it contains no secret
# Claude Code runs the server in the checkout: without -P Python would import modules from there.
MODULE = ("-P", "-m", "gitlab_mcp")


class OtherServer(RegistrationError):
    """Another server has the name of this one; the text names its command, which is untrusted."""


@dataclass(frozen=True)
class Registration:
    """How the server is started: an absolute command, what comes before `serve`, and the flags that follow it."""

    command: str
    arguments: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """The JSON object under the server's name in `mcpServers`."""
        before = MODULE if self.command == sys.executable else self.before
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


def is_in_cache(prefix: Path) -> bool:
    """Whether the Python environment at `prefix` is in the cache of uvx or pipx run, which empty it later."""
    # https://bford.info/cachedir/: uv marks its cache so; pipx keeps its own in a folder named .cache or pipx.
    folders = [prefix, *prefix.parents]
    marked = any((folder / "CACHEDIR.TAG").is_file() for folder in folders[1:])
    return (
        marked
        or (prefix / "pipx_expired_venv").exists()
        or any(folder.name == ".cache" and folder.parent.name == "pipx" for folder in folders)
    )


def lasting_registration(registration: Registration, environ: Mapping[str, str]) -> Registration | None:
    """The command of uvx that starts what runs here from a cache; None where uvx or the package's source is not known.

    The source is the checkout, wheel or repository that the package was installed from: its name on a package index may
    be somebody else's.
    """
    # uv tells the programs that it runs where it is itself.
    beside = str(Path(environ["UV"]).parent) if environ.get("UV") else ""
    uvx = shutil.which("uvx", path=os.pathsep.join(filter(None, [beside, environ.get("PATH", os.defpath)])))
    source = _source()
    if not uvx or not source:
        return None
    return Registration(str(Path(uvx).absolute()), registration.arguments, ("--from", source, COMMAND))


def _source() -> str:
    """What the package was installed from, as `uvx --from` takes it; "" where it is not known or holds a credential.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        text = distribution(COMMAND).read_text("direct_url.json") or "{}"
    except PackageNotFoundError:
        return ""
    record = json.loads(text)
    url = str(record.get("url", ""))
    parts = urlsplit(url)
    if "@" in parts.netloc or record.get("subdirectory"):
        return ""
    version_control = record.get("vcs_info")
    if version_control:
        return f"{version_control['vcs']}+{url}@{version_control['commit_id']}"
    return unquote(parts.path) if parts.scheme == "file" else url


def flag_arguments(flags: Flags, secret_values: Iterable[str]) -> tuple[str, ...]:
    """`flags` as command-line arguments.

    Raises RegistrationError when one contains a value of `secret_values`, or `${`, which Claude Code would expand.
    """
    secrets = [value for value in secret_values if value]
    arguments = []
    for name, value in flags.given().items():
        option = f"--{name.replace('_', '-')}"
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if any(secret in text for secret in secrets) or redact(text) != text or "@" in text.partition("//")[2]:
            raise RegistrationError(f"{option} contains a secret, which would be written to a file: leave it out.")
        if "${" in text:
            raise RegistrationError(
                f"{option} contains ${{...}}, which Claude Code would replace: write the value itself."
            )
        arguments.append(option if value is True else f"{option}={text}")
    return tuple(arguments)


def register(
    registration: Registration, scope: Scope, environ: Mapping[str, str], directory: Path, *, replace: bool = False
) -> Path:
    """Write the entry of this server and return the path of the file; a file that has it already is not written.

    Raises OtherServer where another server has the name, unless `replace`; RegistrationError when the file does not
    contain a JSON object, or cannot be read or written.
    """
    path, keys = _place(scope, environ, directory)
    entry = registration.entry()

    def add(document: Document) -> bool:
        servers = object_at(path, document, *keys)
        if servers.get(SERVER_NAME) == entry:
            return False
        _check_own(servers, path, scope, replace)
        servers[SERVER_NAME] = entry
        return True

    change(path, add, SHARED if scope == "project" else PRIVATE)
    return path


def unregister(scope: Scope, environ: Mapping[str, str], directory: Path, *, replace: bool = False) -> bool:
    """Remove the entry of this server; returns whether it existed. Raises as `register` does.

    With `replace`, another server of the name is removed too.
    """
    path, keys = _place(scope, environ, directory)

    def remove(document: Document) -> bool:
        servers = object_at(path, document, *keys)
        _check_own(servers, path, scope, replace)
        return servers.pop(SERVER_NAME, None) is not None

    return change(path, remove)


def other_server(scope: Scope, environ: Mapping[str, str], directory: Path) -> str:
    """The command of a server of the same name that is not this one; "" where there is none, or no file.

    Raises RegistrationError as `register` does. The text is untrusted, and may contain secrets.
    """
    path, keys = _place(scope, environ, directory)
    others: list[str] = []

    def read(document: Document) -> bool:
        others.append(_other(object_at(path, document, *keys)))
        return False

    change(path, read)
    return next(iter(others), "")


def _check_own(servers: Mapping[str, Any], path: Path, scope: Scope, replace: bool) -> None:
    # It is checked under the lock of the file: Claude Code may add a server at any moment.
    if not replace and (other := _other(servers)):
        raise OtherServer(
            f"{path} ({scope} scope) has another server named {SERVER_NAME}, and was not changed;"
            f" --force replaces or removes it: {other}"
        )


def _other(servers: Mapping[str, Any]) -> str:
    """The command or URL of the server of this name where it is not this one; "" where it is, or there is none."""
    entry = servers.get(SERVER_NAME)
    if not isinstance(entry, Mapping):
        return "" if entry is None else json.dumps(entry)
    arguments = entry.get("args")
    words = [
        str(word)
        for word in (entry.get("command") or entry.get("url"), *(arguments if isinstance(arguments, list) else []))
        if word
    ]
    own = _starts_this_server(words) and bool(entry.get("command"))
    return "" if own else shlex.join(words) or json.dumps(entry)


def _starts_this_server(words: Sequence[str]) -> bool:
    """Whether a command line, without or with a program before it such as uvx or docker, starts this server.

    Packages and images of others have its name too: behind another program it counts only with `serve` after it.
    """
    own = Registration(own_command()).entry()  # the command may have been given another name
    if words and (
        PurePath(words[0]).name == COMMAND or words[: len(own["args"]) + 1] == [own["command"], *own["args"]]
    ):
        return True
    pairs = list(pairwise(words))
    return ("-m", "gitlab_mcp") in pairs or any(
        after == "serve" and not word.startswith("@") and PurePath(word).name.partition(":")[0] == COMMAND
        for word, after in pairs
    )


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
