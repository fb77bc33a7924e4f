"""The server's configuration: one frozen object, read once from flags and environment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gitlab_mcp.checkout import WorkingDirectory, checkout_around, origin

READS = ("get", "head")  # the HTTP methods that change nothing
DEFAULT_URL = "https://gitlab.com"

CredentialKind = Literal["access token", "flow token", "job token"]


class SettingsError(Exception):
    """The configuration cannot be used; the text says what is wrong and which variable or flag mends it."""


@dataclass(frozen=True)
class Credential:
    """The token that this run uses, and the variable it came from."""

    kind: CredentialKind
    variable: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class MergeRequestElsewhere:
    """The merge request that this pipeline is about, where it is in another project: the pipeline runs in a fork."""

    project_id: str
    iid: str


@dataclass(frozen=True)
class Settings:
    """Everything that a run is configured with.

    `url` has no slash at its end; `deadline` is in seconds; `own_project` is the path and the id of the run's own
    project, as far as they are known; `trigger` is the handle that starts a run, without its @; `secrets` are values
    that must not leave.
    """

    url: str
    credential: Credential
    project: str = ""
    own_project: tuple[str, ...] = ()
    merge_request: MergeRequestElsewhere | None = None
    in_ci: bool = False
    ca_files: tuple[Path, ...] = ()
    working_directory: WorkingDirectory | None = None
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    allow_projects: tuple[str, ...] = ()
    allow_default_branch: bool = False
    allow_files: tuple[str, ...] = ()
    trusted_only: bool = False
    trigger: str = "claude"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    deadline: float = 60.0

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every value that must not leave: the run's own token, from wherever it came, and the other secrets."""
        return (self.credential.token, *self.secrets)


@dataclass(frozen=True)
class Flags:
    """What the command line gave; an empty value means that the flag was not given."""

    url: str = ""
    project: str = ""
    read_only: bool = False
    toolsets: str = ""
    tools: str = ""
    allow_project: str = ""
    allow_default_branch: bool = False
    allow_files: str = ""
    trusted_only: bool = False
    trigger: str = ""
    deadline: float = 0.0


ACCESS_TOKEN_VARIABLES = ("GITLAB_ACCESS_TOKEN", "GITLAB_TOKEN", "GITLAB_PERSONAL_ACCESS_TOKEN")
SECRET_VARIABLE = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|PRIVATE_KEY)$")
# Shorter values are no secrets, and taking them out of a text would take words apart.
SECRET_CHARACTERS = 8
CA_VARIABLES = ("CI_SERVER_TLS_CA_FILE", "GITLAB_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

NO_CREDENTIAL = (
    "No GitLab credential: set GITLAB_ACCESS_TOKEN to an access token with scope api"
    " (outside CI, GITLAB_TOKEN or GITLAB_PERSONAL_ACCESS_TOKEN also serve; a CI job has CI_JOB_TOKEN by itself)."
)


def read_settings(flags: Flags, environ: Mapping[str, str], directory: Path) -> Settings:
    """Read the configuration from flags, then the environment, then `directory` (the working directory).

    Raises SettingsError when there is no credential, or a value cannot be used.
    """
    in_ci = is_ci(environ)
    url = _gitlab_url(flags, environ)
    own = _value(environ, "CI_SERVER_URL")
    if in_ci and own and origin(url) != origin(_address(own)):
        raise SettingsError(
            f"This job belongs to {own}, and its credentials go there only, not to {url}: remove GITLAB_URL or --url."
        )
    checkout = _working_directory(environ, directory, url)
    project = (
        flags.project
        or _value(environ, "GITLAB_PROJECT")
        or _value(environ, "CI_PROJECT_PATH")
        or _value(environ, "CI_PROJECT_ID")
        or (checkout.project if checkout else "")
    )
    # What widens is a flag in CI: a job cannot tell who set a variable.
    widening = {} if in_ci else environ
    return Settings(
        url=url,
        credential=_credential(environ, in_ci=in_ci),
        project=project,
        own_project=_own_project(environ, project, in_ci=in_ci),
        merge_request=_merge_request(environ),
        in_ci=in_ci,
        ca_files=_ca_files(environ),
        working_directory=checkout,
        read_only=flags.read_only or _flag(environ, "GITLAB_MCP_READ_ONLY"),
        toolsets=_names(flags.toolsets or _value(environ, "GITLAB_MCP_TOOLSETS")),
        tools=_names(flags.tools or _value(environ, "GITLAB_MCP_TOOLS")),
        allow_projects=_names(flags.allow_project or _value(widening, "GITLAB_MCP_ALLOW_PROJECT")),
        allow_default_branch=flags.allow_default_branch or _flag(widening, "GITLAB_MCP_ALLOW_DEFAULT_BRANCH"),
        allow_files=_names(flags.allow_files or _value(widening, "GITLAB_MCP_ALLOW_FILES")),
        trusted_only=flags.trusted_only or _flag(environ, "GITLAB_MCP_TRUSTED_ONLY"),
        trigger=(flags.trigger or _value(environ, "GITLAB_MCP_TRIGGER") or "claude").removeprefix("@"),
        secrets=_secrets(environ),
        deadline=flags.deadline or 60.0,
    )


def _own_project(environ: Mapping[str, str], project: str, *, in_ci: bool) -> tuple[str, ...]:
    """In CI the job's own project, whatever else was configured; at a desk the configured one."""
    if in_ci:
        own = _value(environ, "CI_PROJECT_PATH"), _value(environ, "CI_PROJECT_ID")
        if not any(own):
            raise SettingsError(
                "GITLAB_CI is set, but neither CI_PROJECT_PATH nor CI_PROJECT_ID: which project is this?"
            )
        return own
    return (project,)


def _merge_request(environ: Mapping[str, str]) -> MergeRequestElsewhere | None:
    project, iid = _value(environ, "CI_MERGE_REQUEST_PROJECT_ID"), _value(environ, "CI_MERGE_REQUEST_IID")
    if (
        not is_ci(environ)
        or not (project.isdecimal() and iid.isdecimal())
        or project == _value(environ, "CI_PROJECT_ID")
    ):
        return None
    return MergeRequestElsewhere(project, iid)


def _secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the environment that are secrets by their variable's name, longest first."""
    found = {value.strip() for name, value in environ.items() if SECRET_VARIABLE.search(name)}
    return tuple(sorted((value for value in found if len(value) >= SECRET_CHARACTERS), key=len, reverse=True))


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs inside a GitLab CI job."""
    return environ.get("GITLAB_CI", "").lower() == "true"


def _value(environ: Mapping[str, str], name: str) -> str:
    # An unset variable that a client's configuration refers to arrives as the literal text "${NAME}".
    value = environ.get(name, "").strip()
    return "" if re.fullmatch(r"\$\{[^}]*\}|\$\w+", value) else value


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = _value(environ, name).lower()
    if value in ("", "0", "false", "no"):
        return False
    if value in ("1", "true", "yes"):
        return True
    raise SettingsError(f'{name} is "{value}": set it to true or false.')


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[,\s]+", text) if name)


def _gitlab_url(flags: Flags, environ: Mapping[str, str]) -> str:
    names = ("GITLAB_URL", "CI_SERVER_URL", "CI_API_V4_URL")
    url = flags.url or next(filter(None, (_value(environ, name) for name in names)), DEFAULT_URL)
    return _address(re.sub(r"/api/v4/?$", "", url))


def _address(url: str) -> str:
    """`url` without a slash at its end. Raises SettingsError when it is no address of a GitLab."""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        bad = True
    if bad or parts.username or parts.query or parts.fragment:
        shown = re.split(r"[?#]", _without_userinfo(url))[0]
        raise SettingsError(f'"{shown}" is no address of a GitLab: write it as https://gitlab.example.com.')
    return url.rstrip("/")


def _without_userinfo(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _secret(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that its NAME_FILE twin names."""
    if value := _value(environ, name):
        return value
    file = _value(environ, f"{name}_FILE")
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file that {name}_FILE names cannot be read: {type(error).__name__}.") from error


def _credential(environ: Mapping[str, str], *, in_ci: bool) -> Credential:
    job_token = _value(environ, "CI_JOB_TOKEN")
    # In CI the other two names belong to other tools, which may hold a token of another power.
    access_variables = ACCESS_TOKEN_VARIABLES[:1] if in_ci else ACCESS_TOKEN_VARIABLES
    kinds: list[tuple[CredentialKind, str]] = [("access token", name) for name in access_variables]
    kinds += [("flow token", "AI_FLOW_GITLAB_TOKEN"), ("job token", "CI_JOB_TOKEN")]
    for kind, name in kinds:
        if token := _secret(environ, name):
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise SettingsError(f"{name} holds characters that no GitLab token has: copy the token again.")
            is_job_token = token.startswith("glcbt-") or token == job_token
            return Credential("job token" if is_job_token else kind, name, token)
    raise SettingsError(NO_CREDENTIAL)


def _ca_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    files = []
    for name in CA_VARIABLES:
        if value := _value(environ, name):
            path = Path(value)
            if not path.exists():
                raise SettingsError(f"{name} names {value}, which is not there: correct it or remove it.")
            files.append(path)
    return tuple(files)


def _working_directory(environ: Mapping[str, str], directory: Path, url: str) -> WorkingDirectory | None:
    """The job's checkout, or the checkout around `directory` whose `origin` is a project of this GitLab."""
    job_directory = _value(environ, "CI_PROJECT_DIR")
    if is_ci(environ) and job_directory and Path(job_directory).is_dir():
        project = _value(environ, "CI_PROJECT_PATH") or _value(environ, "CI_PROJECT_ID")
        return WorkingDirectory(Path(job_directory).resolve(), project, _value(environ, "CI_COMMIT_SHA"))
    return checkout_around(directory, url)


def known(names: Sequence[str], available: Sequence[str], what: str) -> tuple[str, ...]:
    """`names`, checked to be among `available`. Raises SettingsError that lists the known ones."""
    unknown = [name for name in names if name not in available]
    if unknown:
        raise SettingsError(f"Unknown {what} {', '.join(unknown)}; known: {', '.join(available)}.")
    return tuple(names)
