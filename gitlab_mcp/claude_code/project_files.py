"""What a checkout can make Claude Code do. It may come from a stranger: nothing in it is believed or obeyed."""

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gitlab_mcp.claude_code.json_file import Document, RegistrationError, change, configuration_folder

# What Claude Code 2.1.330 acts on from the folder that it runs in, each seen. There are more in .claude/ that only
# these can bring into play, such as hooks/, output-styles/ and plugins.
ACTING = (
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
# Claude Code reads no larger .mcp.json. A smaller limit here would let servers through that are padded to exceed it.
LARGEST = 2 * 1024 * 1024
PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}:]', re.DOTALL)
DISABLED = "disabledMcpjsonServers"


def acting_files(directory: Path) -> list[str]:
    """The files and folders of a checkout that Claude Code obeys, as far as they are present."""
    return [name for name in ACTING if os.path.lexists(directory / name)]


def project_servers(directory: Path) -> list[str]:
    """The names of all servers that Claude Code would find in .mcp.json files when run in `directory`.

    These are its own and those of the folders above it. A name is a stranger's text.
    """
    here = directory.resolve()
    names: dict[str, None] = {}
    for folder in (here, *here.parents):
        names |= dict.fromkeys(_server_names(_content(folder / ".mcp.json")))
    return list(names)


def disable_project_servers(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Have Claude Code start no server of these names from any .mcp.json; returns the names that are disabled now.

    Nothing in a checkout's own settings outweighs it. Raises RegistrationError when the user's settings are no JSON
    object, or cannot be read or written.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return []
    path = configuration_folder(environ) / "settings.json"

    def disable(document: Document) -> bool:
        disabled = document.setdefault(DISABLED, [])
        if not isinstance(disabled, list):
            raise RegistrationError(f'"{DISABLED}" in {path} is no list: correct it or remove it, then try again.')
        there = {name for name in disabled if isinstance(name, str)}
        missing = [name for name in wanted if name not in there]
        disabled += missing
        return bool(missing)

    change(path, disable)
    return wanted


def _content(path: Path) -> bytes:
    """The content of a file, within the limits of Claude Code's own reading; b"" where it reads none."""
    # Links are followed as Claude Code follows them, else a link would be the way past. What is read is not shown.
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            # Of /proc the files say that they are empty, and Claude Code takes them at their word.
            if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= LARGEST:
                return b""
            return file.read(LARGEST)
    except OSError:
        return b""


def _server_names(content: bytes) -> list[str]:
    """The names in `mcpServers`; at least those that Claude Code would find, which forgives a little."""
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
    """The keys of all objects in the outermost one, however deep the rest is nested."""
    depth = 0
    before = '""'
    for match in PART.finditer(text):
        part = match[0]
        if part in "[{":
            depth += 1
        elif part in "]}":
            depth -= 1
        elif part != ":":
            before = part
        elif depth == 2:
            try:
                yield json.loads(before)
            except ValueError:
                continue
