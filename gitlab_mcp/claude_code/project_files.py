"""The files of a checkout that Claude Code obeys, and the servers in its .mcp.json. All of it is untrusted input."""

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gitlab_mcp.claude_code.json_file import (
    Document,
    RegistrationError,
    change,
    configuration_folder,
    object_at,
)

# The files that Claude Code 2.1.330 obeys in the folder that it runs in; each was observed. Others in .claude/ take
# effect only through these, such as hooks/, output-styles/ and plugins.
OBEYED_FILES = (
    ".mcp.json",
    ".claude/settings.json",
    ".claude/settings.local.json",
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".claude/CLAUDE.md",
    "AGENTS.md",
    ".claude/AGENTS.md",
    ".claude/rules",
    ".claude/commands",
    ".claude/agents",
    ".claude/skills",
    ".claude/workflows",
)
# Claude Code ignores a larger .mcp.json. With a smaller limit here, a file padded beyond it would go unseen.
MCP_JSON_BYTES = 2 * 1024 * 1024
JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}:]', re.DOTALL)
DISABLED_SERVERS = "disabledMcpjsonServers"
RECORD = "gitlab-mcp-server.json"  # which of these names this server added for which checkout, in the user's folder


def obeyed_files(directory: Path) -> list[str]:
    """The files and folders in `directory` that Claude Code obeys, as relative paths."""
    return [name for name in OBEYED_FILES if os.path.lexists(directory / name)]


def project_servers(directory: Path) -> list[str]:
    """The names of all servers that Claude Code would find in .mcp.json files when run in `directory`.

    It reads the file in `directory` and in each folder above. A name is untrusted text.
    """
    here = directory.resolve()
    names: dict[str, None] = {}
    for folder in (here, *here.parents):
        names |= dict.fromkeys(_server_names(_content(folder / ".mcp.json")))
    return list(names)


def disable_project_servers(names: Iterable[str], environ: Mapping[str, str], checkout: Path) -> list[str]:
    """Disable the servers of these names in any .mcp.json, in the user's settings; returns the disabled names.

    A checkout's own settings cannot override that. Names that an earlier start in this `checkout`, or in one that is
    gone, added and that no other checkout needs are enabled again: the home of a shell executor outlives its jobs.
    Raises RegistrationError when one of the user's files does not contain a JSON object, or cannot be read or written.
    """
    wanted = list(dict.fromkeys(names))
    path = configuration_folder(environ) / "settings.json"
    added: list[str] = []

    def disable(document: Document) -> bool:
        existing = _disabled(path, document)
        added[:] = [name for name in wanted if name not in existing]
        existing += added
        return bool(added)

    if wanted:
        change(path, disable)
    # Jobs that run at the same time have checkouts of their own, so that none enables what another one disabled.
    _record(environ, str(checkout.resolve()), wanted, added)
    return wanted


def enable_project_servers(environ: Mapping[str, str]) -> None:
    """Enable again what `disable_project_servers` has disabled. Raises RegistrationError as that does."""
    _record(environ, "", (), ())


def _record(environ: Mapping[str, str], checkout: str, wanted: Iterable[str], added: Iterable[str]) -> None:
    """Record which of the `wanted` names this server `added` for `checkout` ("" for all checkouts: forget them).

    Names that no checkout needs any more are removed from the user's settings.
    """
    record, settings = (configuration_folder(environ) / name for name in (RECORD, "settings.json"))
    if not wanted and not os.path.lexists(record):
        return
    unneeded: set[str] = set()

    def note(document: Document) -> bool:
        checkouts = object_at(record, document, DISABLED_SERVERS)
        before = dict(checkouts)
        ours = {name for names in before.values() for name in names} | set(added)
        for folder in before:
            if folder == checkout or not checkout or not Path(folder).is_dir():
                del checkouts[folder]
        if mine := [name for name in wanted if name in ours]:
            checkouts[checkout] = mine
        unneeded.clear()
        unneeded.update(ours - {name for names in checkouts.values() for name in names})
        return checkouts != before

    def enable(document: Document) -> bool:
        existing = _disabled(settings, document)
        left = [name for name in existing if name not in unneeded]
        is_changed = left != existing
        existing[:] = left
        return is_changed

    change(record, note)
    if unneeded:
        change(settings, enable)


def _disabled(path: Path, document: Document) -> list[Any]:
    disabled = document.setdefault(DISABLED_SERVERS, [])
    if not isinstance(disabled, list):
        raise RegistrationError(
            f'"{DISABLED_SERVERS}" in {path} is not a list: correct it or remove it, then try again.'
        )
    return disabled


def _content(path: Path) -> bytes:
    """The content of a file that Claude Code would read; b"" where it would read none."""
    # Links are followed as Claude Code follows them, else a link would hide a file. The content is not shown.
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            # Files in /proc have size 0, and Claude Code treats them as empty.
            if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= MCP_JSON_BYTES:
                return b""
            return file.read(MCP_JSON_BYTES)
    except OSError:
        return b""


def _server_names(content: bytes) -> list[str]:
    """The names in `mcpServers`; at least those that Claude Code would find, whose parser is lenient."""
    text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
    try:
        document = json.loads(text, parse_int=str)  # Python has a limit on the digits of a number
    except RecursionError:
        return list(dict.fromkeys(_keys(text)))
    except ValueError:
        return []
    servers = document.get("mcpServers") if isinstance(document, dict) else None
    return list(servers) if isinstance(servers, dict) else []


def _keys(text: str) -> Iterator[str]:
    """The keys of all objects directly inside the outermost one, however deep the JSON is nested."""
    depth = 0
    last_string = '""'
    for match in JSON_TOKEN.finditer(text):
        part = match[0]
        if part in "[{":
            depth += 1
        elif part in "]}":
            depth -= 1
        elif part != ":":
            last_string = part
        elif depth == 2:
            try:
                yield json.loads(last_string)
            except ValueError:
                continue
