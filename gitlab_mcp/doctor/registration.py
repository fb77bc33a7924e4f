"""The entry in Claude Code's configuration: is it there, and does what it starts answer?"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitlab_mcp.doctor.handshake import NoHandshake, count_tools
from gitlab_mcp.doctor.surroundings import SECONDS, Surroundings
from gitlab_mcp.doctor.verdict import Check, Verdict, failed, passed, quoted, unknown, warned

NAME = "gitlab"
FILE_BYTES = 20_000_000

IN_JOB = "Put this line before claude in the job's script: /bin/gitlab-mcp-server || true"
AT_DESK = "Register it: gitlab-mcp-server register"


@dataclass(frozen=True)
class Entry:
    """A server as Claude Code's configuration has it, with variables put in; `program` is None where none is found."""

    data: Mapping[str, Any]
    program: str | None
    arguments: list[str]
    environ: dict[str, str]


class BrokenFile(Exception):
    """Claude Code's configuration cannot be read; the text says why."""


def registered(around: Surroundings) -> Verdict:
    remedy = IN_JOB if around.in_ci else AT_DESK
    try:
        entry = _entry(around)
    except BrokenFile as error:
        what = f"{_shown(around)} {error}: claude has no servers from it"
        return failed(what, "Correct it, or remove it and register again.")
    if entry is None:
        what = f"{_shown(around)} has no server {NAME}"
        return failed(what, remedy) if around.in_ci else warned(what, remedy)
    if entry.data.get("url"):
        what = f"whether the server {NAME} in {_shown(around)} is this one: it is reached by URL"
        return unknown(what, f"To use this one: {remedy}")
    if entry.program is None:
        return failed(f"The command of {NAME} in {_shown(around)} is not there or cannot be run", remedy)
    if "serve" not in entry.arguments:
        what = f'The args of {NAME} in {_shown(around)} lack "serve": whether it serves is left to a guess'
        return warned(what, remedy)
    if entry.data.get("alwaysLoad") is not True:
        what = f'{NAME} in {_shown(around)} lacks "alwaysLoad": true: the model may begin without its tools'
        return warned(what, f"Add it. {remedy}" if around.in_ci else 'Add "alwaysLoad": true to the entry.')
    return passed(f"{NAME} is registered in {_shown(around)}")


def connected(around: Surroundings) -> Verdict | None:
    try:
        entry = _entry(around)
    except BrokenFile:
        return None
    if entry is None or entry.program is None or entry.data.get("url"):
        return None
    try:
        tools = count_tools([entry.program, *entry.arguments], entry.environ, around.directory, SECONDS)
    except NoHandshake as error:
        remedy = f"Run its command by hand, and see what it says. {IN_JOB if around.in_ci else AT_DESK}"
        return failed(f"The registered server does not work: {error}{quoted(error.said)}", remedy)
    if not tools:
        return failed("The registered server has no tools", "Look at --tools, --toolsets and --read-only in its args.")
    return passed(f"The registered server answers, and has {tools} tools")


def _file(around: Surroundings) -> Path:
    given = around.variable("CLAUDE_CONFIG_DIR")
    return (Path(given) if given else around.home) / ".claude.json"


def _shown(around: Surroundings) -> str:
    return "$CLAUDE_CONFIG_DIR/.claude.json" if around.variable("CLAUDE_CONFIG_DIR") else "~/.claude.json"


def _entry(around: Surroundings) -> Entry | None:
    """The entry that claude would use here: one for this directory comes before one for the user.

    Raises BrokenFile.
    """
    path = _file(around)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(FILE_BYTES))
    except OSError as error:
        raise BrokenFile("cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise BrokenFile("is no JSON") from error
    local = _inside(_inside(_inside(data, "projects"), str(around.directory)), "mcpServers")
    found = _inside(local, NAME) or _inside(_inside(data, "mcpServers"), NAME)
    return _read(found, around) if found else None


def _read(found: Mapping[str, Any], around: Surroundings) -> Entry:
    def text(value: object) -> str:
        return _expanded(value, around.environ) if isinstance(value, str) else ""

    command, listed = text(found.get("command")), found.get("args")
    program = shutil.which(command, path=around.environ.get("PATH", os.defpath)) if command else None
    arguments = [text(value) for value in listed] if isinstance(listed, list) else []
    more = {name: text(value) for name, value in _inside(found, "env").items()}
    return Entry(found, program, arguments, {**around.environ, **more})


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    """Variables as Claude Code puts them in; one that is unset and has no default stays as it is written."""

    def value(match: re.Match[str]) -> str:
        return environ.get(match[1], match[0] if match[2] is None else match[2])

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, text)


def _inside(value: object, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


CHECKS = (
    Check("registered", "whether claude knows the server", registered),
    Check("connected", "whether the registered server answers", connected),
)
