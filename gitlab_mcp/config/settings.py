"""The server's configuration: one frozen object, read once from flags and environment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitlab_mcp.config.checkout import WorkingDirectory, find_checkout, origin
from gitlab_mcp.config.credential import ACCESS_TOKEN_VARIABLES as ACCESS_TOKEN_VARIABLES
from gitlab_mcp.config.credential import Credential as Credential
from gitlab_mcp.config.credential import CredentialKind as CredentialKind
from gitlab_mcp.config.credential import read_credential, read_job_token
from gitlab_mcp.config.environment import MissingCredential as MissingCredential
from gitlab_mcp.config.environment import SettingsError as SettingsError
from gitlab_mcp.config.environment import flag, is_ci, is_file, is_folder, split_list, variable
from gitlab_mcp.config.job_context import JobContext, read_job
from gitlab_mcp.git.change import Author

READS = ("get", "head")  # the HTTP methods that change nothing
DEFAULT_URL = "https://gitlab.com"
DEFAULT_DEADLINE, LONGEST_DEADLINE = 60.0, 3600  # seconds
DEFAULT_CONNECTIONS, MOST_CONNECTIONS = 32, 100
DEFAULT_TRIGGER = "claude"


@dataclass(frozen=True)
class MergeRequestElsewhere:
    """The merge request that this pipeline is about, where it is in another project: the pipeline runs in a fork."""

    project_id: str
    iid: str


@dataclass(frozen=True)
class Settings:
    """Everything that a run is configured with.

    `url` has no slash at its end; `job_token` is the token that git pushes with where the credential may not write;
    `author` is the author of commits, if not the credential's user; `deadline` is the limit of one tool call in
    seconds, `connections` how many requests are sent to GitLab at a time; `own_project` is the path and the id of the
    run's own project, as far as they are known; `trigger` is the handle that starts a run, without its @;
    `allow_opt_in_tools` is whether `toolsets` and `tools` may also name opt-in tools; `job` is what the run is about;
    `secrets` are values of the environment that must never be sent or shown, `secret_variables` the names of their
    variables.
    """

    url: str
    credential: Credential
    job_token: Credential | None = None
    author: Author | None = None
    project: str = ""
    own_project: tuple[str, ...] = ()
    job: JobContext = field(default_factory=JobContext)
    merge_request: MergeRequestElsewhere | None = None
    in_ci: bool = False
    ca_files: tuple[Path, ...] = ()
    working_directory: WorkingDirectory | None = None
    other_checkout: WorkingDirectory | None = None  # whose origin is not on the host of `url`
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    allow_opt_in_tools: bool = True
    allow_projects: tuple[str, ...] = ()
    allow_default_branch: bool = False
    allow_files: tuple[str, ...] = ()
    trusted_only: bool = False
    trigger: str = DEFAULT_TRIGGER
    secrets: tuple[str, ...] = field(default=(), repr=False)
    secret_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    deadline: float = DEFAULT_DEADLINE
    connections: int = DEFAULT_CONNECTIONS

    @property
    def push_token(self) -> Credential | None:
        """The job token of this run, if it has one."""
        return self.credential if self.credential.kind == "job token" else self.job_token

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every value that must never be sent or shown, longest first: the run's tokens and secret variables."""
        return longest_first({*self.credentials, *self.secrets})

    @property
    def credentials(self) -> Mapping[str, str]:
        """The variables of the run's own tokens, by their values."""
        own = (self.credential, self.job_token) if self.job_token else (self.credential,)
        return {credential.token: credential.variable for credential in own}


@dataclass(frozen=True)
class Flags:
    """The flags of the command line; an empty value (None for a number) means that the flag is absent."""

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
    author: str = ""
    not_secret: str = ""
    deadline: float | None = None
    connections: int | None = None
    no_instant_start: bool = False

    def given(self) -> dict[str, Any]:
        """The flags that are not absent, by their name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value for name, value in values.items() if value is not None and value is not False and value != ""
        }


RENAMED_TOOLSETS = {"desk": "my_work"}

SECRET_VARIABLE = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|PRIVATE_KEY)$")
# The model's keys, and the credentials of GitLab and of clouds: whatever their value, it is secret.
CREDENTIAL_VARIABLE = re.compile(
    r"(ANTHROPIC|CLAUDE|CI|AI_FLOW|AWS|GOOGLE|GCP|CLOUDSDK)_|GITLAB_(ACCESS_|PERSONAL_ACCESS_)?TOKEN$"
)
# A shorter value is unlikely to be a secret, and redacting it would damage ordinary words.
SECRET_CHARACTERS = 8
# A path has a group; GitLab's names have neither blanks nor a colon, which a URL has.
PROJECT_OR_ID = re.compile(r"[0-9]+|[^/\s:?#]+(/[^/\s:?#]+)+")
HANDLE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")

# The URL is shown to the model and in the job's log: the pattern has no room for a sentence.
ADDRESS = re.compile(r"https?://[A-Za-z0-9._:\[\]-]{1,253}(/[A-Za-z0-9._~%+-]{1,60}){0,4}/?", re.IGNORECASE)
AUTHOR = re.compile(r"([^<>\s\x00-\x1f\x7f][^<>\x00-\x1f\x7f]{0,254}?) *<([^<>\s\x00-\x1f\x7f]{1,255})>")
CA_VARIABLES = ("CI_SERVER_TLS_CA_FILE", "GITLAB_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def read_settings(flags: Flags, environ: Mapping[str, str], directory: Path) -> Settings:
    """Read the configuration from flags, then the environment, then `directory` (the working directory).

    Raises MissingCredential when no variable holds a credential, or SettingsError when a value cannot be used.
    """
    in_ci = is_ci(environ)
    url = _gitlab_url(flags, environ)
    own = variable(environ, "CI_SERVER_URL")
    if in_ci and own and origin(url) != origin(_address(own)):
        raise SettingsError(
            f"This job belongs to {own}, and its credentials go there only, not to {url}: remove GITLAB_URL or --url."
        )
    checkout = _working_directory(environ, directory, url)
    project = (
        _project(flags, environ)
        or variable(environ, "CI_PROJECT_PATH")
        or variable(environ, "CI_PROJECT_ID")
        or (checkout.project if checkout else "")
    )
    # In CI only flags may grant permissions: a job cannot know who set a variable.
    granting = {} if in_ci else environ
    secrets = _named_secrets(environ, flags.not_secret or variable(granting, "GITLAB_MCP_NOT_SECRET"))
    return Settings(
        url=url,
        credential=read_credential(environ),
        job_token=read_job_token(environ),
        author=_author(flags, environ, in_ci=in_ci),
        project=project,
        own_project=_own_project(environ, project, in_ci=in_ci),
        job=read_job(environ),
        merge_request=_merge_request(environ),
        in_ci=in_ci,
        ca_files=_ca_files(environ),
        working_directory=checkout if checkout and checkout.project else None,
        other_checkout=checkout if checkout and not checkout.project else None,
        read_only=flags.read_only or flag(environ, "GITLAB_MCP_READ_ONLY"),
        toolsets=_toolsets(flags.toolsets or variable(environ, "GITLAB_MCP_TOOLSETS")),
        tools=split_list(flags.tools or variable(environ, "GITLAB_MCP_TOOLS")),
        allow_opt_in_tools=not in_ci or bool(flags.toolsets or flags.tools),
        allow_projects=split_list(flags.allow_project or variable(granting, "GITLAB_MCP_ALLOW_PROJECT")),
        allow_default_branch=flags.allow_default_branch or flag(granting, "GITLAB_MCP_ALLOW_DEFAULT_BRANCH"),
        allow_files=split_list(flags.allow_files or variable(granting, "GITLAB_MCP_ALLOW_FILES")),
        trusted_only=flags.trusted_only or flag(environ, "GITLAB_MCP_TRUSTED_ONLY"),
        trigger=_trigger(flags, environ),
        secrets=tuple(secrets),
        secret_variables=secrets,
        deadline=_deadline(flags),
        connections=_connections(flags),
    )


def _toolsets(names: str) -> tuple[str, ...]:
    """The names in a list of toolsets, with old names replaced by the current ones."""
    return tuple(_renamed_toolset(name) if name in RENAMED_TOOLSETS else name for name in split_list(names))


@cache
def _renamed_toolset(name: str) -> str:
    """The new name of a toolset. Saved registrations may hold the old one, which is reported once in a process."""
    import logging  # only here, because its import takes time at each start

    logging.getLogger(__name__).warning(
        "gitlab-mcp-server: the toolset %s is now %s; 1.0 removes the old name.", name, RENAMED_TOOLSETS[name]
    )
    return RENAMED_TOOLSETS[name]


def _deadline(flags: Flags) -> float:
    if flags.deadline is None:
        return DEFAULT_DEADLINE
    if not 0 < flags.deadline <= LONGEST_DEADLINE:
        raise SettingsError(
            f"--deadline is {flags.deadline:g}: set it to seconds, more than 0 and {LONGEST_DEADLINE} at most."
        )
    return flags.deadline


def _connections(flags: Flags) -> int:
    if flags.connections is None:
        return DEFAULT_CONNECTIONS
    if not 0 < flags.connections <= MOST_CONNECTIONS:
        raise SettingsError(f"--connections is {flags.connections}: set it to a number from 1 to {MOST_CONNECTIONS}.")
    return flags.connections


def _project(flags: Flags, environ: Mapping[str, str]) -> str:
    """The configured project, "" where none is. Raises SettingsError when it is neither a path nor an id."""
    named = [("--project", flags.project), ("GITLAB_PROJECT", variable(environ, "GITLAB_PROJECT"))]
    name, text = next((pair for pair in named if pair[1]), ("", ""))
    project = text.strip().strip("/")
    if text and not PROJECT_OR_ID.fullmatch(project):
        raise SettingsError(
            f'{name} is "{text}": set it to the path of a project with its group, such as group/app, or to its id.'
        )
    return project


def _trigger(flags: Flags, environ: Mapping[str, str]) -> str:
    """The handle that starts a run, without its @. Raises SettingsError when it is not a handle."""
    named = [("--trigger", flags.trigger), ("GITLAB_MCP_TRIGGER", variable(environ, "GITLAB_MCP_TRIGGER"))]
    name, text = next((pair for pair in named if pair[1]), ("", DEFAULT_TRIGGER))
    handle = text.strip().removeprefix("@")
    if not HANDLE.fullmatch(handle):
        raise SettingsError(f'{name} is "{text}", which is not a handle: set it to one such as claude or @claude.')
    return handle


def _author(flags: Flags, environ: Mapping[str, str], *, in_ci: bool) -> Author | None:
    """The author in --author, else the user who started this pipeline. Raises SettingsError for a malformed flag."""
    if flags.author:
        if not (match := AUTHOR.fullmatch(flags.author.strip())):
            raise SettingsError(f'--author is "{flags.author}": write it as "Name <name@example.com>".')
        return Author(match[1], match[2])
    name, email = variable(environ, "GITLAB_USER_NAME"), variable(environ, "GITLAB_USER_EMAIL")
    return Author(name, email) if in_ci and AUTHOR.fullmatch(f"{name} <{email}>") else None


def _own_project(environ: Mapping[str, str], project: str, *, in_ci: bool) -> tuple[str, ...]:
    """In CI the job's own project, whatever else was configured; locally the configured one."""
    if in_ci:
        own = variable(environ, "CI_PROJECT_PATH"), variable(environ, "CI_PROJECT_ID")
        if not any(own):
            raise SettingsError(
                "GITLAB_CI is set, but neither CI_PROJECT_PATH nor CI_PROJECT_ID is: set one of them to this project's."
            )
        return own
    return (project,)


def _merge_request(environ: Mapping[str, str]) -> MergeRequestElsewhere | None:
    project, iid = variable(environ, "CI_MERGE_REQUEST_PROJECT_ID"), variable(environ, "CI_MERGE_REQUEST_IID")
    if (
        not is_ci(environ)
        or not (project.isdecimal() and iid.isdecimal())
        or project == variable(environ, "CI_PROJECT_ID")
    ):
        return None
    return MergeRequestElsewhere(project, iid)


def secrets_of(environ: Mapping[str, str], not_secret: str = "") -> tuple[str, ...]:
    """The values of variables whose name marks them as secrets, such as *_TOKEN, longest first.

    `not_secret` names variables that are not secret. Raises SettingsError where one holds a credential.
    """
    return tuple(_named_secrets(environ, not_secret))


def _named_secrets(environ: Mapping[str, str], not_secret: str) -> dict[str, str]:
    """The names of secret variables by their values, longest first; of several with a value, that of a credential."""
    excepted = split_list(not_secret)
    if refused := [name for name in excepted if CREDENTIAL_VARIABLE.match(name)]:
        raise SettingsError(f"--not-secret names {', '.join(refused)}, which holds a credential: leave it out.")
    names = sorted(
        (name for name in environ if SECRET_VARIABLE.search(name) and name not in excepted),
        key=lambda name: (CREDENTIAL_VARIABLE.match(name) is not None, name),
    )
    by_value = {value: name for name in names if len(value := environ[name].strip()) >= SECRET_CHARACTERS}
    return {value: by_value[value] for value in longest_first(by_value)}


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """`secrets` in an order in which none is removed from a text as a part of another, whose rest would remain."""
    return tuple(sorted(secrets, key=lambda secret: (-len(secret), secret)))


def _gitlab_url(flags: Flags, environ: Mapping[str, str]) -> str:
    names = ("GITLAB_URL", "CI_SERVER_URL", "CI_API_V4_URL")
    url = flags.url or next(filter(None, (variable(environ, name) for name in names)), DEFAULT_URL)
    return _address(re.sub(r"/api/v4/?$", "", url))


def _address(url: str) -> str:
    """`url` without a slash at its end. Raises SettingsError when it is not the URL of a GitLab."""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # an invalid port or IPv6 address
        bad = True
    if bad or not ADDRESS.fullmatch(url):
        shown = re.sub(r"[^\x21-\x7e]+", " ", re.split(r"[?#]", _without_userinfo(url))[0])[:200]
        raise SettingsError(f'"{shown}" is not the URL of a GitLab: write it as https://gitlab.example.com.')
    return url.rstrip("/")


def _without_userinfo(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _ca_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    files = []
    for name in CA_VARIABLES:
        if value := variable(environ, name):
            path = Path(value)
            if not (is_file(path) or is_folder(path)):
                raise SettingsError(f"{name} names {value}, which does not exist: correct it or remove it.")
            files.append(path)
    return tuple(files)


def _working_directory(environ: Mapping[str, str], directory: Path, url: str) -> WorkingDirectory | None:
    """The job's checkout, or the checkout around `directory` with an `origin`."""
    job_directory = variable(environ, "CI_PROJECT_DIR")
    if is_ci(environ) and job_directory and is_folder(Path(job_directory)):
        project = variable(environ, "CI_PROJECT_PATH") or variable(environ, "CI_PROJECT_ID")
        return WorkingDirectory(Path(job_directory).resolve(), project, variable(environ, "CI_COMMIT_SHA"))
    return find_checkout(directory, url)


def known(names: Sequence[str], available: Sequence[str], what: str) -> tuple[str, ...]:
    """`names`, checked to be among `available`. Raises SettingsError, with the list of known ones, for any other.

    `what` is the noun for the message, such as "tool".
    """
    unknown = [name for name in names if name not in available]
    if unknown:
        raise SettingsError(f"Unknown {what} {', '.join(unknown)}; known: {', '.join(available)}.")
    return tuple(names)
