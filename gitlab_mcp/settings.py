"""The server's configuration: one frozen object, read once from flags and environment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from gitlab_mcp.git.run import GitError, git, git_directory

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
class WorkingDirectory:
    """A checkout on disk and the GitLab project that it is a checkout of."""

    path: Path
    project: str


@dataclass(frozen=True)
class Settings:
    """Everything that a run is configured with. `url` has no slash at its end; `deadline` is in seconds."""

    url: str
    credential: Credential
    project: str = ""
    ca_files: tuple[Path, ...] = ()
    working_directory: WorkingDirectory | None = None
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    deadline: float = 60.0


@dataclass(frozen=True)
class Flags:
    """What the command line gave; an empty value means that the flag was not given."""

    url: str = ""
    project: str = ""
    read_only: bool = False
    toolsets: str = ""
    tools: str = ""


ACCESS_TOKEN_VARIABLES = ("GITLAB_ACCESS_TOKEN", "GITLAB_TOKEN", "GITLAB_PERSONAL_ACCESS_TOKEN")
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
    if in_ci and own and origin(url) != origin(own):
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
    return Settings(
        url=url,
        credential=_credential(environ, in_ci=in_ci),
        project=project,
        ca_files=_ca_files(environ),
        working_directory=checkout,
        read_only=flags.read_only or _flag(environ, "GITLAB_MCP_READ_ONLY"),
        toolsets=_names(flags.toolsets or _value(environ, "GITLAB_MCP_TOOLSETS")),
        tools=_names(flags.tools or _value(environ, "GITLAB_MCP_TOOLS")),
    )


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
    api = re.sub(r"/api/v4/?$", "", _value(environ, "CI_API_V4_URL"))
    url = flags.url or _value(environ, "GITLAB_URL") or _value(environ, "CI_SERVER_URL") or api or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise SettingsError(f'"{_without_userinfo(url)}" is no address of a GitLab: write https://gitlab.example.com.')
    return url.rstrip("/")


def _without_userinfo(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be equal for a credential to be sent."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _secret(environ: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that its NAME_FILE twin names."""
    if value := _value(environ, name):
        return value
    file = _value(environ, f"{name}_FILE")
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file that {name}_FILE names cannot be read: {type(error).__name__}.") from error


def _credential(environ: Mapping[str, str], *, in_ci: bool) -> Credential:
    job_token = _secret(environ, "CI_JOB_TOKEN")
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
        return WorkingDirectory(Path(job_directory).resolve(), project)
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():
            project = project_of_remote(_origin_remote(candidate), url)
            return WorkingDirectory(candidate.resolve(), project) if project else None
    return None


def _origin_remote(checkout: Path) -> str:
    try:
        return git("config", "--get", "remote.origin.url", git_directory=git_directory(checkout)).decode().strip()
    except (GitError, UnicodeDecodeError):
        return ""


def project_of_remote(remote: str, url: str) -> str:
    """The project path that a git remote's URL names on the GitLab at `url`, or "" where it is another host.

    Understands https://host/group/app.git, ssh://git@host/group/app.git and git@host:group/app.git.
    """
    gitlab = urlsplit(url)
    if scp := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)", remote):
        host, path = scp[1], scp[2]
    else:
        parts = urlsplit(remote)
        host, path = parts.hostname or "", unquote(parts.path)
        if parts.scheme in ("http", "https"):
            if not path.startswith(f"{gitlab.path}/"):
                return ""
            path = path[len(gitlab.path) :]
            if origin(remote) != origin(url):
                return ""
    if host.lower() != (gitlab.hostname or "").lower():
        return ""
    path = path.strip("/").removesuffix(".git")
    return path if "/" in path else ""


def known(names: Sequence[str], available: Sequence[str], what: str) -> tuple[str, ...]:
    """`names`, checked to be among `available`. Raises SettingsError that lists the known ones."""
    unknown = [name for name in names if name not in available]
    if unknown:
        raise SettingsError(f"Unknown {what} {', '.join(unknown)}; known: {', '.join(available)}.")
    return tuple(names)
