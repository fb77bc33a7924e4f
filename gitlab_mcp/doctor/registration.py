"""The entry in Claude Code's configuration: is it there, and does what it starts answer?"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitlab_mcp.claude_code import Registration, RegistrationError, Scope, own_command, project_folder
from gitlab_mcp.claude_code.json_file import configuration_folder, user_file
from gitlab_mcp.claude_code.registration import SERVER_NAME
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import GITLAB_SECONDS, DoctorContext
from gitlab_mcp.doctor.handshake import NoHandshake, count_tools
from gitlab_mcp.doctor.result import CheckResult, failed, passed, quoted, skipped, warned

STATE_FILE_BYTES = 20_000_000

IN_JOB = "Put this line before claude in the job's script: /bin/gitlab-mcp-server || true"
AT_DESK = "Register it: gitlab-mcp-server register"

# Where claude keeps that somebody declined a server of the project.
DECLINED = (".claude/settings.json", ".claude/settings.local.json")


@dataclass(frozen=True)
class Entry:
    """A server as Claude Code's configuration has it, with variables put in; `program` is None where none is found.

    `place` is what to call the file that it stands in.
    """

    scope: Scope
    place: str
    data: Mapping[str, Any]
    program: str | None
    arguments: list[str]
    environ: dict[str, str]


class BrokenFile(Exception):
    """Claude Code's configuration cannot be read; the text says which file, and why."""


def registered(around: DoctorContext) -> CheckResult:
    try:
        entry = _entry(around)
    except BrokenFile as error:
        return failed(f"{error}: claude has no servers from it", "Correct it, or remove it and register again.")
    except RegistrationError as error:
        return failed("Claude Code's configuration is not to be found", str(error))
    if entry is None:
        what, remedy = f"{_shown(user_file(around.environ), around)} has no server {SERVER_NAME}", _remedy(around)
        return failed(what, remedy) if around.in_ci else warned(what, remedy)
    place, remedy = entry.place, _remedy(around, entry.scope)
    if entry.scope == "project" and around.in_ci:
        what = f"{SERVER_NAME} is taken from {place}: whoever writes there decides what runs with the job's variables"
        bare = "It registers its own, and switches off the servers of the checkout's .mcp.json."
        return warned(what, f"{IN_JOB}. {bare}")
    if entry.data.get("url"):
        what = f"whether the server {SERVER_NAME} in {place} is this one: it is reached by URL"
        return skipped(what, f"To use this one: {remedy}")
    if entry.program is None:
        return failed(f"The command of {SERVER_NAME} in {place} is not there or cannot be run", remedy)
    if "serve" not in entry.arguments:
        return warned(
            f'The args of {SERVER_NAME} in {place} lack "serve": whether it serves is left to a guess', remedy
        )
    if entry.data.get("alwaysLoad") is not True:
        what = f'{SERVER_NAME} in {place} lacks "alwaysLoad": true: the model may begin without its tools'
        return warned(what, f"Add it. {remedy}" if around.in_ci else 'Add "alwaysLoad": true to the entry.')
    asks = ": claude -p takes it, and claude without -p asks first" if entry.scope == "project" else ""
    return passed(f"{SERVER_NAME} is registered in {place}{asks}")


def connected(around: DoctorContext) -> CheckResult | None:
    try:
        entry = _entry(around)
    except (BrokenFile, RegistrationError):
        return None
    if entry is None or entry.program is None or entry.data.get("url"):
        return None
    if entry.scope == "project" and entry.data != Registration(own_command()).entry():
        # Anybody may have written it, and it would get every token that is here.
        what = f"whether the registered server answers: what {entry.place} names is not started here"
        return skipped(what, "Read what it starts, then run that by hand.")
    try:
        tools = count_tools([entry.program, *entry.arguments], entry.environ, around.directory, GITLAB_SECONDS)
    except NoHandshake as error:
        remedy = f"Run its command by hand, and see what it says. {_remedy(around, entry.scope)}"
        return failed(f"The registered server does not work: {error}{quoted(error.said)}", remedy)
    if not tools:
        return failed("The registered server has no tools", "Look at --tools, --toolsets and --read-only in its args.")
    return passed(f"The registered server answers, and has {tools} tools")


def _remedy(around: DoctorContext, scope: Scope = "user") -> str:
    if around.in_ci:
        return IN_JOB
    return AT_DESK if scope == "user" else f"{AT_DESK} --scope {scope}"


def _shown(path: Path, around: DoctorContext) -> str:
    """A file of the user's as people call it."""
    for name, sign in (("CLAUDE_CONFIG_DIR", "$CLAUDE_CONFIG_DIR"), ("HOME", "~")):
        folder = around.environ.get(name)
        if folder and path.is_relative_to(Path(folder).absolute()):
            return f"{sign}/{path.relative_to(Path(folder).absolute())}"
    return str(path)


def _entry(around: DoctorContext) -> Entry | None:
    """The entry that claude would use here: first that for this project, then the project's own, then the user's.

    Raises BrokenFile, or RegistrationError where there is no home.
    """
    path = user_file(around.environ)
    shown = _shown(path, around)
    try:
        data = _loaded(path)
    except OSError as error:
        raise BrokenFile(f"{shown} cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise BrokenFile(f"{shown} is no JSON") from error
    local = _inside(_inside(data, "projects"), str(project_folder(around.directory)))
    if found := _inside(_inside(local, "mcpServers"), SERVER_NAME):
        return _read("local", shown, found, around)
    if not _is_declined(around) and (found := _of_project(around.directory)):
        return _read(
            "project", "the checkout's .mcp.json" if around.in_ci else "the project's .mcp.json", found, around
        )
    found = _inside(_inside(data, "mcpServers"), SERVER_NAME)
    return _read("user", shown, found, around) if found else None


def _loaded(path: Path) -> object:
    """What a JSON file holds; None where there is none. Raises OSError, ValueError or RecursionError."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return json.loads(file.read(STATE_FILE_BYTES))


def _of_strangers(path: Path) -> object:
    """What a JSON file of the checkout holds; None where it is none."""
    try:
        return _loaded(path)
    except (OSError, ValueError, RecursionError):
        return None


def _of_project(directory: Path) -> Mapping[str, Any]:
    """The entry in .mcp.json, here or in a folder above."""
    here = directory.resolve()
    entries = (
        _inside(_inside(_of_strangers(at / ".mcp.json"), "mcpServers"), SERVER_NAME) for at in (here, *here.parents)
    )
    return next(filter(None, entries), {})


def _is_declined(around: DoctorContext) -> bool:
    """Whether claude leaves a server of this name in .mcp.json alone."""
    user = configuration_folder(around.environ) / "settings.json"
    for path in (user, *(around.directory / name for name in DECLINED)):
        data = _of_strangers(path)
        names = data.get("disabledMcpjsonServers") if isinstance(data, dict) else None
        if isinstance(names, list) and SERVER_NAME in names:
            return True
    return False


def _read(scope: Scope, place: str, found: Mapping[str, Any], around: DoctorContext) -> Entry:
    def text(value: object) -> str:
        return _expanded(value, around.environ) if isinstance(value, str) else ""

    command, listed = text(found.get("command")), found.get("args")
    program = shutil.which(command, path=around.environ.get("PATH", os.defpath)) if command else None
    arguments = [text(value) for value in listed] if isinstance(listed, list) else []
    more = {name: text(value) for name, value in _inside(found, "env").items()}
    return Entry(scope, place, found, program, arguments, {**around.environ, **more})


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
