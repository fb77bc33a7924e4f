"""What the checks look at: the configuration, the environment, and the GitLab that it leads to."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import requests

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.error_mapping import unreachable
from gitlab_mcp.api.http import GitLabSession, tls_context
from gitlab_mcp.config.environment import is_ci, variable
from gitlab_mcp.config.settings import (
    NO_CREDENTIAL,
    SECRET_VARIABLE,
    Credential,
    Flags,
    Settings,
    SettingsError,
    read_settings,
)
from gitlab_mcp.doctor.background import begin
from gitlab_mcp.doctor.result import Skipped
from gitlab_mcp.server.toolsets import selected

GITLAB_SECONDS = 10.0  # what the way to GitLab may take, and then all that is asked there

NETWORK = (
    "Check the address (GITLAB_URL; in a job CI_SERVER_URL), name resolution, the firewall, and HTTPS_PROXY and"
    " NO_PROXY."
)


class NotReached(Skipped):
    """No answer came from GitLab; `what` says why, in full."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__("GitLab was not reached", "First mend the way to GitLab.")
        self.what = what
        self.cure = cure


@dataclass(frozen=True)
class Response:
    """What came when GitLab was asked without a credential; `at` is our clock then, in seconds since the epoch."""

    status: int
    headers: Mapping[str, str]
    url: str
    at: float


class DoctorContext:
    """Everything that checks look at; they do so from many threads at once.

    `settings` is None where the configuration cannot be used, and `problem` says why. `credential` is None where there
    is none; then `settings` still says which GitLab is meant.
    """

    def __init__(self, flags: Flags, environ: Mapping[str, str], directory: Path) -> None:
        self.environ = environ
        self.directory = directory
        self.in_ci = is_ci(environ)
        self.home = _home(environ)
        self.settings, self.problem = _read(flags, environ, directory)
        has_credential = self.settings is not None and self.problem != NO_CREDENTIAL
        self.credential = self.settings.credential if self.settings and has_credential else None
        self._lock = threading.Lock()
        self._asking: Future[Response | NotReached] | None = None
        self._ends = 0.0
        self._call: Call | None = None
        self._clients: dict[str, GitLab] = {}

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        named = [value.strip() for name, value in self.environ.items() if SECRET_VARIABLE.search(name)]
        return (*(self.settings.secret_values if self.settings else ()), *sorted(named, key=len, reverse=True))

    def variable(self, name: str) -> str:
        """The value of a variable; "" where it is unset or empty."""
        return variable(self.environ, name)

    def is_set(self, name: str) -> bool:
        """Whether a variable, or its NAME_FILE twin, has a value."""
        return bool(self.variable(name) or self.variable(f"{name}_FILE"))

    @property
    def checkout(self) -> Path:
        """Where the files of the project are."""
        found = self.settings.working_directory if self.settings else None
        return found.path if found else self.directory

    def usable(self) -> Settings:
        """The settings. Raises Untold where they cannot be used."""
        if self.settings is None:
            raise Skipped("the configuration cannot be used", "First mend the configuration.")
        return self.settings

    def answer(self) -> Response:
        """What GitLab's address answers, asked once. Raises NotReached, or Untold."""
        settings = self.usable()
        with self._lock:
            if self._asking is None:
                self._asking = begin(partial(_ask, settings))
                self._ends = time.monotonic() + GITLAB_SECONDS
        try:
            # The look-up of a name knows no limit of ours.
            answer = self._asking.result(max(0.0, self._ends - time.monotonic()))
        except TimeoutError:
            raise NotReached(f"{settings.url} did not answer within {GITLAB_SECONDS:.0f} s", NETWORK) from None
        if isinstance(answer, NotReached):
            raise NotReached(answer.what, answer.cure)
        return answer

    def gitlab(self) -> GitLab:
        """GitLab with the credential of this run. Raises Untold where it was not reached or there is no credential."""
        if self.credential is None:
            raise Skipped("there is no credential", "First set GITLAB_ACCESS_TOKEN.")
        return self._with(self.credential)

    def pushes(self) -> bool:
        """Whether this run writes by git with its job token. Raises Untold as `gitlab` does."""
        return self.gitlab().identity.pushes()

    def of_job(self) -> GitLab | None:
        """GitLab with the job token; None where this run has no use for one. Raises Untold as `gitlab` does."""
        token = self.usable().push_token
        return self._with(token) if token and self.pushes() else None

    def project_path(self) -> str:
        """The API path of the project. Raises Untold where none is configured."""
        project = self.usable().project
        if not project:
            raise Skipped("no project is known", 'Set GITLAB_PROJECT, such as "group/app", or run it in a checkout.')
        return f"/projects/{segment(project)}"

    def _with(self, credential: Credential) -> GitLab:
        self.answer()
        settings = replace(self.usable(), credential=credential)
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


def _read(flags: Flags, environ: Mapping[str, str], directory: Path) -> tuple[Settings | None, str]:
    """The settings, as far as they can be used, and what is wrong with them."""
    try:
        settings = read_settings(flags, environ, directory)
        tls_context(settings.ca_files)
        selected(settings)
    except SettingsError as error:
        problem = str(error)
        if problem != NO_CREDENTIAL:
            return None, problem
    else:
        return settings, ""
    # The address of GitLab and the certificates are worth a look also without a credential.
    known, other = _read(flags, {**environ, "GITLAB_ACCESS_TOKEN": "none"}, directory)
    return (known, problem) if known else (None, other)


def _ask(settings: Settings) -> Response | NotReached:
    """Ask for what every GitLab answers without a credential: that it wants one."""
    current_call.set(Call(GITLAB_SECONDS, lambda _: None))
    try:
        with GitLabSession(settings.ca_files, lambda _method, _url: None) as session:
            found = session.get(f"{settings.url}/api/v4/version", timeout=GITLAB_SECONDS)
    except (requests.RequestException, ValueError) as error:
        text = str(unreachable("get", error, settings.url))
        what, colon, advice = text.rpartition(": ")
        if not colon or advice.endswith("?"):
            return NotReached(what or text, NETWORK)
        return NotReached(what, f"{advice[0].upper()}{advice[1:]}")
    return Response(found.status_code, found.headers, found.url, time.time())
