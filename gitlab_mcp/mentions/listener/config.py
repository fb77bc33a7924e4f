"""The listener's configuration: a TOML file for many projects and groups of one GitLab, or variables for one project.

Secrets are named by a variable or a file and never written into the configuration. A text of an error names the key of
a secret and never its value.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from standardwebhooks import Webhook

from gitlab_mcp.config.environment import SettingsError, secret, variable
from gitlab_mcp.config.settings import CA_VARIABLES, Flags, Settings, read_settings
from gitlab_mcp.mentions.screening import ProjectSettings
from gitlab_mcp.safety.mention import OptionLimits

PipelineRef = Literal["default", "source"]

# https://docs.gitlab.com/api/access_requests/#valid-access-levels; less than Developer may not start pipelines.
ROLE_LEVELS = {"developer": 30, "maintainer": 40, "owner": 50}
SECRETS = ("access_token", "signing_token", "secret_token", "trigger_token")
LONGEST_FILE = 65_536
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*(\{id\})?[A-Z0-9_]*")
OPTION_KEYS = {"models": list, "max_turns": int, "timeout": int, "max_budget": float}
PROJECT_KEYS = {
    "enabled": bool,
    "handle": str,
    "label": str,
    "user": str,
    "confidential": bool,
    "hourly_per_person": int,
    "hourly_per_project": int,
    "daily_budget": float,
}
TARGET_KEYS = {"path": str, "minimum_role": str, "ref": str, "job_user": str}
SERVICE_KEYS = {
    "url": str,
    "database": str,
    "host": str,
    "port": int,
    "poll_seconds": float,
    "lost_answer_seconds": float,
}
GITLAB_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*")


@dataclass(frozen=True)
class Target:
    """What the configuration says about a project, or about all projects of a group.

    `gitlab` are the settings of the client, with the listener's access token. `ref` is on which branch the pipelines
    run. `job_user` is the username whose token the job has, "" for the listener's own user. `trigger_token` is "" where
    `trigger_source`, which has {id} in it, names one for each project.
    """

    path: str
    is_group: bool
    gitlab: Settings
    project: ProjectSettings
    ref: PipelineRef = "default"
    job_user: str = ""
    signing_token: str = field(default="", repr=False)
    secret_token: str = field(default="", repr=False)
    trigger_token: str = field(default="", repr=False)
    trigger_source: tuple[str, str] = ("", "")  # "env" or "file", and the name with {id}

    def settings_with(self, own_users: Iterable[int]) -> ProjectSettings:
        """The project's settings, with the ids of the users that the listener and the runs write as."""
        return replace(self.project, own_users=tuple(filter(None, own_users)))

    def covers(self, path: str) -> bool:
        """Whether the project at `path` is this project, or one of this group."""
        name, own = path.lower(), self.path.lower()
        return name.startswith(f"{own}/") if self.is_group else name == own


@dataclass(frozen=True)
class ListenerConfig:
    """The whole configuration. `database` is a file; `lost_answer_seconds` is for how long GitLab may still be working
    on a request whose response was lost, and `poll_seconds` how often a pipeline is looked at."""

    url: str
    targets: tuple[Target, ...]
    database: Path = Path("mentions.db")
    host: str = "127.0.0.1"
    port: int = 8080
    poll_seconds: float = 15.0
    lost_answer_seconds: float = 60.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def target(self, path: str) -> Target | None:
        """What holds for a project: its own entry, else that of the nearest group; None where nothing names it."""
        found = [target for target in self.targets if target.covers(path)]
        return max(found, key=lambda target: (not target.is_group, len(target.path)), default=None)

    def trigger_token(self, target: Target, project_id: int) -> str:
        """The trigger token of a project. Raises SettingsError where it cannot be read."""
        kind, name = target.trigger_source
        if not kind:
            return target.trigger_token
        return _read(kind, name.replace("{id}", str(project_id)), "trigger_token", self.environ)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret of the configuration, for the log."""
        found = {
            value
            for target in self.targets
            for value in (
                target.gitlab.credential.token,
                target.signing_token,
                target.secret_token,
                target.trigger_token,
            )
        }
        return tuple(sorted(filter(None, found), key=len, reverse=True))


def read_config(path: Path | None, environ: Mapping[str, str]) -> ListenerConfig:
    """Read the configuration from a TOML file, or from variables where `path` is None.

    Raises SettingsError, which names the key that is wrong, and never the value of a secret.
    """
    if path is None:
        return _from_variables(environ)
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The message of the parser can contain a part of the line, and so of a secret.
        raise SettingsError(f"The configuration {path} is not valid TOML{_place(str(error))}.") from None
    return _from_file(content, environ)


def _from_file(content: Mapping[str, Any], environ: Mapping[str, str]) -> ListenerConfig:
    service = {name: value for name, value in content.items() if name not in ("defaults", "projects", "groups")}
    _check_keys(service, SERVICE_KEYS, "")
    defaults = _table(content.get("defaults", {}), "defaults")
    _check_keys(defaults, _target_keys() - {"path"}, "defaults.")
    url = str(service.get("url", "https://gitlab.com"))
    targets = []
    for kind in ("projects", "groups"):
        rows = content.get(kind, [])
        if not isinstance(rows, list):
            raise SettingsError(f"{kind} is not a list of tables: write [[{kind}]] above each of them.")
        for number, row in enumerate(rows, start=1):
            where = f"{kind}[{number}]."
            own = _table(row, where.rstrip("."))
            _check_keys(own, _target_keys(), where)
            targets.append(_target({**_without_replaced(defaults, own), **own}, kind == "groups", url, environ, where))
    if not targets:
        raise SettingsError("The configuration names no project: add [[projects]] with its path.")
    paths = [(target.is_group, target.path.lower()) for target in targets]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise SettingsError(f"The configuration names {twice[1]} twice.")
    given = {name: value for name, value in service.items() if name != "database"}
    database = Path(service["database"]) if "database" in service else Path("mentions.db")
    given["url"] = targets[0].gitlab.url
    return ListenerConfig(targets=tuple(targets), database=database, environ=environ, **given)


def _from_variables(environ: Mapping[str, str]) -> ListenerConfig:
    """One project, whose names of variables are those that the rest of this program reads."""
    path = variable(environ, "GITLAB_PROJECT")
    if not path:
        raise SettingsError("No configuration: name a TOML file with --config, or set GITLAB_PROJECT to a project.")
    given = {
        "path": path,
        "access_token": secret(environ, "GITLAB_ACCESS_TOKEN"),
        "trigger_token": secret(environ, "GITLAB_MCP_TRIGGER_TOKEN"),
        "signing_token": secret(environ, "GITLAB_MCP_SIGNING_TOKEN"),
        "secret_token": secret(environ, "GITLAB_MCP_SECRET_TOKEN"),
    }
    names = {"handle": "GITLAB_MCP_TRIGGER", "label": "GITLAB_MCP_LABEL", "user": "GITLAB_MCP_USER"}
    given |= {key: value for key, name in names.items() if (value := variable(environ, name).removeprefix("@"))}
    target = _built(given, is_group=False, url=variable(environ, "GITLAB_URL"), environ=environ, where="")
    database = Path(variable(environ, "GITLAB_MCP_DATABASE") or "mentions.db")
    return ListenerConfig(url=target.gitlab.url, targets=(target,), database=database, environ=environ)


def _target(row: Mapping[str, Any], is_group: bool, url: str, environ: Mapping[str, str], where: str) -> Target:
    given = dict(row)
    for name in SECRETS:
        kinds = [kind for kind in ("env", "file") if f"{name}_{kind}" in row]
        if len(kinds) > 1:
            raise SettingsError(f"{where}{name} is given twice: keep {name}_env or {name}_file.")
        for kind in kinds:
            key, source = f"{name}_{kind}", str(row[f"{name}_{kind}"])
            _check_source(kind, source, f"{where}{key}")
            del given[key]
            if "{id}" in source and name == "trigger_token":
                given["trigger_source"] = (kind, source)
            else:
                given[name] = _read(kind, source, f"{where}{key}", environ)
    return _built(given, is_group=is_group, url=url, environ=environ, where=where)


def _built(given: Mapping[str, Any], *, is_group: bool, url: str, environ: Mapping[str, str], where: str) -> Target:
    path = str(given.get("path", "")).strip("/")
    if not GITLAB_PATH.fullmatch(path) or (not is_group and "/" not in path):
        raise SettingsError(f"{where}path is not the path of a {'group' if is_group else 'project with its group'}.")
    for name in ("access_token", "trigger_token"):
        if not given.get(name) and not (name == "trigger_token" and given.get("trigger_source")):
            raise SettingsError(f"{where}{name} is missing: name it with {name}_env or {name}_file.")
    signing, token = str(given.get("signing_token", "")), str(given.get("secret_token", ""))
    if not signing and not token:
        raise SettingsError(
            f"{where}signing_token is missing: without one, or a secret_token, anybody could start runs."
        )
    if signing:
        _check_signing_token(signing, f"{where}signing_token")
    ref = given.get("ref", "default")
    if ref not in ("default", "source"):
        raise SettingsError(f'{where}ref must be "default" or "source".')
    plain = {name: given[name] for name in PROJECT_KEYS if name in given}
    options = {name: given[name] for name in OPTION_KEYS if name in given}
    if "models" in options:
        options["models"] = tuple(map(str, options["models"]))
    handle = str(plain.get("handle", "claude")).removeprefix("@")
    try:
        gitlab = read_settings(
            Flags(url=url, trigger=handle),
            {"GITLAB_ACCESS_TOKEN": str(given["access_token"])}
            | {name: environ[name] for name in CA_VARIABLES if name in environ},
            Path("/"),
        )
    except SettingsError as error:
        raise SettingsError(f"{where.rstrip('.') or 'listen'}: {error}") from error
    return Target(
        path=path,
        is_group=is_group,
        gitlab=gitlab,
        project=ProjectSettings(
            **{**plain, "handle": handle},
            minimum_role=_role(given, where),
            options=OptionLimits(**options),
        ),
        ref=ref,
        job_user=str(given.get("job_user", "")).removeprefix("@"),
        signing_token=signing,
        secret_token=token,
        trigger_token=str(given.get("trigger_token", "")),
        trigger_source=given.get("trigger_source", ("", "")),
    )


def _role(given: Mapping[str, Any], where: str) -> int:
    name = str(given.get("minimum_role", "developer")).lower()
    if name not in ROLE_LEVELS:
        raise SettingsError(f"{where}minimum_role must be one of {', '.join(ROLE_LEVELS)}.")
    return ROLE_LEVELS[name]


def _target_keys() -> set[str]:
    return {
        *PROJECT_KEYS,
        *OPTION_KEYS,
        *TARGET_KEYS,
        *(f"{name}_{kind}" for name in SECRETS for kind in ("env", "file")),
    }


def _without_replaced(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults without the secrets that a table names in its own way."""
    replaced = {f"{name}_{kind}" for name in SECRETS for kind in ("env", "file") if _names(own, name)}
    return {name: value for name, value in defaults.items() if name not in replaced}


def _names(own: Mapping[str, Any], name: str) -> bool:
    return f"{name}_env" in own or f"{name}_file" in own


def _check_keys(table: Mapping[str, Any], allowed: "Mapping[str, object] | set[str]", where: str) -> None:
    """Raise SettingsError for a key that is unknown, holds a secret itself, or has a value of the wrong type."""
    types: Mapping[str, Any] = {**PROJECT_KEYS, **OPTION_KEYS, **TARGET_KEYS, **SERVICE_KEYS}
    for key, value in table.items():
        if key in SECRETS or key in ("token", "private_token", "password", "secret"):
            raise SettingsError(
                f"{where}{key} holds a value: a secret does not belong in this file. Write {key}_env with the name of a"
                f" variable, or {key}_file with the path of a file, and revoke the value."
            )
        if key not in allowed:
            raise SettingsError(f"{where}{key} is not a key of the configuration.")
        wanted = types.get(key, str)
        is_number = wanted in (int, float) and isinstance(value, (int, float)[: 1 if wanted is int else 2])
        if isinstance(value, bool) != (wanted is bool) or not (isinstance(value, wanted) or is_number):
            raise SettingsError(f"{where}{key} must be {_NOUNS[wanted]}.")
        if is_number and value < 0:
            raise SettingsError(f"{where}{key} must not be negative.")


_NOUNS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}


def _check_source(kind: str, source: str, key: str) -> None:
    """Raise SettingsError where the name of a variable or file may be the secret itself; it is not shown."""
    if kind == "env" and not VARIABLE_NAME.fullmatch(source):
        raise SettingsError(f"{key} is not the name of a variable (capital letters, digits and _): is it the secret?")
    if kind == "file" and not source.startswith("/"):
        raise SettingsError(f"{key} is not an absolute path of a file: is it the secret?")


def _read(kind: str, source: str, key: str, environ: Mapping[str, str]) -> str:
    """The secret that a variable or a file holds. Raises SettingsError where there is none."""
    if kind == "env":
        if value := variable(environ, source):
            return value
        raise SettingsError(f"{key} names a variable that is not set.")
    try:
        with Path(source).open(encoding="utf-8-sig") as file:
            value = file.read(LONGEST_FILE).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{key} names a file that cannot be read: {type(error).__name__}.") from None
    if not value:
        raise SettingsError(f"{key} names a file that is empty.")
    return value


def _check_signing_token(token: str, key: str) -> None:
    try:
        if not token.startswith("whsec_"):
            raise ValueError
        Webhook(token)
    except (ValueError, RuntimeError, Exception) as error:
        raise SettingsError(f"{key} is not a signing token of GitLab, which begins with whsec_.") from error


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where} is not a table.")
    return value


def _place(message: str) -> str:
    match = re.search(r"line \d+, column \d+", message)
    return f" ({match[0]})" if match else ""


def known_keys() -> Sequence[str]:
    """All keys of a project's table, for the documentation's test."""
    return sorted(_target_keys())
