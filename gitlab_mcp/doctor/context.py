"""What the checks examine: the configuration, the environment, and clients of the configured GitLab."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from urllib3.exceptions import HTTPError

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.error_mapping import unreachable
from gitlab_mcp.api.http import GitLabSession, tls_context
from gitlab_mcp.config.environment import is_ci, variable
from gitlab_mcp.config.settings import (
    Credential,
    Flags,
    MissingCredential,
    Settings,
    SettingsError,
    read_settings,
    secrets_of,
)
from gitlab_mcp.doctor.background import begin
from gitlab_mcp.doctor.result import Skipped
from gitlab_mcp.server.toolsets import selected
from gitlab_mcp.tools import TOOLS

GITLAB_SECONDS = 10.0  # for the first connection to GitLab, and again for all further requests together


def network(*, in_ci: bool) -> str:
    """What to check where GitLab is not reached."""
    name = "CI_SERVER_URL" if in_ci else "GITLAB_URL"
    return f"Check the address ({name}), name resolution, the firewall, and HTTPS_PROXY and NO_PROXY."


class NotReached(Skipped):
    """GitLab could not be reached; `problem` says why, in full, and `advice` what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__("GitLab was not reached", "First fix the connection to GitLab.")
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True)
class Response:
    """GitLab's response to a request without a credential; `received_at` is our clock, in seconds since the epoch."""

    status: int
    headers: Mapping[str, str]
    url: str
    received_at: float


class DoctorContext:
    """Everything that the checks examine; they use it from many threads at once.

    `problem` is the error of a configuration that cannot be used, and `settings` is then None. Where only the
    credential is missing, `credential` is None and `settings` has a placeholder, so that GitLab itself can be checked.
    """

    def __init__(self, flags: Flags, environ: Mapping[str, str], directory: Path) -> None:
        self.environ = environ
        self.directory = directory
        self.in_ci = is_ci(environ)
        self.home = _home(environ)
        self.settings, self.problem = _read(flags, environ, directory)
        self.credential = self.settings.credential if self.settings and self.problem is None else None
        self._lock = threading.Lock()
        self._request: Callable[[], Response | NotReached] | None = None
        self._call: Call | None = None
        self._clients: dict[str, GitLab] = {}

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        return self.settings.secret_values if self.settings else secrets_of(self.environ)

    @property
    def new_token(self) -> str:
        """How to give this run a credential that can read and write."""
        where = " in Settings > CI/CD > Variables > Add variable, masked" if self.in_ci else ""
        return (
            "Create a project access token with role Developer and scope api (Settings > Access tokens > Add new token)"
            f", and set it as GITLAB_ACCESS_TOKEN{where}."
        )

    @property
    def network(self) -> str:
        """What to check where GitLab is not reached."""
        return network(in_ci=self.in_ci)

    def variable(self, name: str) -> str:
        """The value of a variable; "" where it is unset or empty."""
        return variable(self.environ, name)

    def is_set(self, name: str) -> bool:
        """Whether a variable, or its NAME_FILE twin, has a value."""
        return bool(self.variable(name) or self.variable(f"{name}_FILE"))

    @property
    def checkout(self) -> Path:
        """The folder of the project's files: the checkout, else the working directory."""
        checkout = self.settings.working_directory if self.settings else None
        return checkout.path if checkout else self.directory

    def is_without_job(self) -> bool:
        """Whether this runs outside CI and its configuration cannot be used: there is no job to speak of."""
        return self.settings is None and not self.in_ci

    def require_settings(self) -> Settings:
        """The settings. Raises Skipped when they cannot be used."""
        if self.settings is None:
            raise Skipped("the configuration cannot be used", "First fix the configuration.")
        return self.settings

    def response(self) -> Response:
        """GitLab's response to one request without a credential, which all checks share.

        Raises NotReached when no response came, or Skipped when the configuration cannot be used.
        """
        settings = self.require_settings()
        with self._lock:
            if self._request is None:
                self._request = begin(partial(_request_version, settings), time.monotonic() + GITLAB_SECONDS)
        try:
            # Waited for here, since no timeout of the request limits name resolution.
            response = self._request()
        except TimeoutError:
            raise NotReached(f"{settings.url} did not answer within {GITLAB_SECONDS:.0f} s", self.network) from None
        if isinstance(response, NotReached):
            raise NotReached(response.problem, response.advice)
        return response

    def gitlab(self) -> GitLab:
        """The client with the credential of this run. Raises Skipped when GitLab or a credential is missing."""
        if self.credential is None:
            raise Skipped("there is no credential", "First set GITLAB_ACCESS_TOKEN.")
        return self._client(self.credential)

    def pushes(self) -> bool:
        """Whether this run writes with git and its job token. Raises Skipped as `gitlab` does."""
        return self.gitlab().identity.pushes()

    def job_token_client(self) -> GitLab | None:
        """The client with the job token; None where this run does not use one. Raises Skipped as `gitlab` does."""
        token = self.require_settings().push_token
        return self._client(token) if token and self.pushes() else None

    def project_path(self) -> str:
        """The API path of the project. Raises Skipped when none is configured."""
        project = self.require_settings().project
        if not project:
            raise Skipped("no project is known", 'Set GITLAB_PROJECT, such as "group/app", or run it in a checkout.')
        return f"/projects/{segment(project)}"

    def _client(self, credential: Credential) -> GitLab:
        self.response()
        settings = replace(self.require_settings(), credential=credential)
        with self._lock:
            self._call = self._call or Call(GITLAB_SECONDS, lambda _: None)
            current_call.set(self._call)
            if credential.token not in self._clients:
                self._clients[credential.token] = GitLab(settings)
            return self._clients[credential.token]


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:  # a container's user may have none
        return Path("/")


def _read(flags: Flags, environ: Mapping[str, str], directory: Path) -> tuple[Settings | None, SettingsError | None]:
    """The settings, or the error that makes them unusable; both where only the credential is missing."""
    try:
        settings = read_settings(flags, environ, directory)
        tls_context(settings.ca_files)
        selected(settings, TOOLS)
    except MissingCredential as missing:
        # GitLab's URL and the certificates can be checked without a credential.
        placeholder, other_problem = _read(flags, {**environ, "GITLAB_ACCESS_TOKEN": "none"}, directory)
        return (placeholder, missing) if placeholder else (None, other_problem)
    except SettingsError as problem:
        return None, problem
    return settings, None


def _request_version(settings: Settings) -> Response | NotReached:
    """Request /version without a credential, which every GitLab answers with 401."""
    current_call.set(Call(GITLAB_SECONDS, lambda _: None))
    try:
        session = GitLabSession(settings.ca_files, lambda _method, _url: None)
        response = session.get(f"{settings.url}/api/v4/version", timeout=GITLAB_SECONDS)
    except (HTTPError, ValueError) as error:
        text = str(unreachable("get", error, settings.url))
        problem, colon, advice = text.rpartition(": ")
        if not colon or advice.endswith("?"):
            return NotReached(problem or text, network(in_ci=settings.in_ci))
        return NotReached(problem, f"{advice[0].upper()}{advice[1:]}")
    return Response(response.status_code, response.headers, response.url, time.time())
