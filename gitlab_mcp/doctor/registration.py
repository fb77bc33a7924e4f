"""Checks of the entry in Claude Code's configuration: whether it exists, and whether the server it starts answers."""

import json
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
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.handshake import HandshakeFailed, count_tools
from gitlab_mcp.doctor.result import CheckResult, failed, in_brackets, passed, skipped, warned
from gitlab_mcp.git.search_path import search_path

STATE_FILE_BYTES = 20_000_000
HANDSHAKE_SECONDS = 20.0  # on a loaded machine a start takes several

IN_JOB = "Put this line before claude in the job's script: /bin/gitlab-mcp-server || true"
LOCALLY = "Register it: gitlab-mcp-server register"

# The project's files in which claude records that a user declined a server.
DECLINED = (".claude/settings.json", ".claude/settings.local.json")


@dataclass(frozen=True)
class Entry:
    """A server in Claude Code's configuration, with variables expanded.

    `place` is the name of its file for messages, `data` the JSON object, `program` the path of the executable, or None
    where it is not found, and `environ` the environment that the server gets.
    """

    scope: Scope
    place: str
    data: Mapping[str, Any]
    program: str | None
    arguments: list[str]
    environ: dict[str, str]


class BrokenFile(Exception):
    """Claude Code's configuration cannot be read; the text says which file, and why."""


def registered(context: DoctorContext) -> CheckResult:
    try:
        entry = _entry(context)
    except BrokenFile as error:
        return failed(f"{error}: claude reads no servers from it", "Correct it, or remove it and register again.")
    except RegistrationError as error:
        return failed("Claude Code's configuration cannot be found", str(error))
    if entry is None:
        path = _short_path(user_file(context.environ), context)
        what, remedy = f"{path} has no server {SERVER_NAME}", _remedy(context)
        return failed(what, remedy) if context.in_ci else warned(what, remedy)
    place, remedy = entry.place, _remedy(context, entry.scope)
    if entry.scope == "project" and context.in_ci:
        what = f"{SERVER_NAME} is read from {place}: anybody who can change it decides what gets the job's variables"
        bare = "It registers its own, and disables the servers of the checkout's .mcp.json."
        return warned(what, f"{IN_JOB}. {bare}")
    if entry.data.get("url"):
        what = f"whether the server {SERVER_NAME} in {place} is this one: it is reached by URL"
        return skipped(what, f"To use this one: {remedy}")
    if entry.program is None:
        return failed(f"The command of {SERVER_NAME} in {place} does not exist or cannot be run", remedy)
    if "serve" not in entry.arguments:
        return warned(
            f'The args of {SERVER_NAME} in {place} lack "serve": without it the server guesses what to do', remedy
        )
    if entry.data.get("alwaysLoad") is not True:
        what = f'{SERVER_NAME} in {place} lacks "alwaysLoad": true: the model may start without its tools'
        return warned(what, f"Add it. {remedy}" if context.in_ci else 'Add "alwaysLoad": true to the entry.')
    asks = ": claude -p takes it, and claude without -p asks first" if entry.scope == "project" else ""
    return passed(f"{SERVER_NAME} is registered in {place}{asks}")


def connected(context: DoctorContext) -> CheckResult | None:
    try:
        entry = _entry(context)
    except (BrokenFile, RegistrationError):
        return None
    if entry is None or entry.program is None or entry.data.get("url"):
        return None
    if entry.scope == "project" and entry.data != Registration(own_command()).entry():
        # The file is untrusted, and the server would get every token of this environment.
        what = f"whether the registered server answers: the command in {entry.place} is not started here"
        return skipped(what, "Read the command, then run it by hand.")
    try:
        tools = count_tools([entry.program, *entry.arguments], entry.environ, context.directory, HANDSHAKE_SECONDS)
    except HandshakeFailed as error:
        remedy = f"Run its command by hand to see its errors. {_remedy(context, entry.scope)}"
        return failed(f"The registered server does not work: {error}{in_brackets(error.stderr_line)}", remedy)
    if not tools:
        return failed("The registered server has no tools", "Look at --tools, --toolsets and --read-only in its args.")
    return passed(f"The registered server answers, and has {tools} tools")


def _remedy(context: DoctorContext, scope: Scope = "user") -> str:
    if context.in_ci:
        return IN_JOB
    return LOCALLY if scope == "user" else f"{LOCALLY} --scope {scope}"


def _short_path(path: Path, context: DoctorContext) -> str:
    """A path for messages, with $CLAUDE_CONFIG_DIR or ~ in place of those folders."""
    for name, sign in (("CLAUDE_CONFIG_DIR", "$CLAUDE_CONFIG_DIR"), ("HOME", "~")):
        folder = context.environ.get(name)
        if folder and path.is_relative_to(Path(folder).absolute()):
            return f"{sign}/{path.relative_to(Path(folder).absolute())}"
    return str(path)


def _entry(context: DoctorContext) -> Entry | None:
    """The entry that claude would use here: the one of local scope, else of project scope, else of user scope.

    Raises BrokenFile when the user's file cannot be read, or RegistrationError when the user has no home directory.
    """
    path = user_file(context.environ)
    place = _short_path(path, context)
    try:
        document = _read_json(path)
    except OSError as error:
        raise BrokenFile(f"{place} cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise BrokenFile(f"{place} is not valid JSON") from error
    local = _inside(_inside(document, "projects"), str(project_folder(context.directory)))
    if data := _inside(_inside(local, "mcpServers"), SERVER_NAME):
        return _expanded_entry("local", place, data, context)
    if not _is_declined(context) and (data := _project_entry(context.directory)):
        return _expanded_entry(
            "project", "the checkout's .mcp.json" if context.in_ci else "the project's .mcp.json", data, context
        )
    data = _inside(_inside(document, "mcpServers"), SERVER_NAME)
    return _expanded_entry("user", place, data, context) if data else None


def _read_json(path: Path) -> object:
    """The content of a JSON file; None where it does not exist. Raises OSError, ValueError or RecursionError."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return json.loads(file.read(STATE_FILE_BYTES))


def _read_untrusted_json(path: Path) -> object:
    """The content of a JSON file of the checkout; None where it is missing or not valid."""
    try:
        return _read_json(path)
    except (OSError, ValueError, RecursionError):
        return None


def _project_entry(directory: Path) -> Mapping[str, Any]:
    """The entry in the .mcp.json of `directory` or the nearest folder above; empty where none has one."""
    here = directory.resolve()
    entries = (
        _inside(_inside(_read_untrusted_json(folder / ".mcp.json"), "mcpServers"), SERVER_NAME)
        for folder in (here, *here.parents)
    )
    return next(filter(None, entries), {})


def _is_declined(context: DoctorContext) -> bool:
    """Whether a server of this name in .mcp.json is disabled, so that claude does not start it."""
    user = configuration_folder(context.environ) / "settings.json"
    for path in (user, *(context.directory / name for name in DECLINED)):
        data = _read_untrusted_json(path)
        names = data.get("disabledMcpjsonServers") if isinstance(data, dict) else None
        if isinstance(names, list) and SERVER_NAME in names:
            return True
    return False


def _expanded_entry(scope: Scope, place: str, data: Mapping[str, Any], context: DoctorContext) -> Entry:
    def text(value: object) -> str:
        return _expanded(value, context.environ) if isinstance(value, str) else ""

    command, values = text(data.get("command")), data.get("args")
    program = shutil.which(command, path=search_path(context.environ)) if command else None
    arguments = [text(value) for value in values] if isinstance(values, list) else []
    variables = {name: text(value) for name, value in _inside(data, "env").items()}
    return Entry(scope, place, data, program, arguments, {**context.environ, **variables})


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    """`text` with variables expanded as Claude Code does; one that is unset and has no default stays as it is."""

    def value(match: re.Match[str]) -> str:
        return environ.get(match[1], match[0] if match[2] is None else match[2])

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, text)


def _inside(value: object, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


CHECKS = (
    Check("registered", "whether the server is registered", registered),
    Check("connected", "whether the registered server answers", connected),
)
