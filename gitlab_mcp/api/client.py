"""Requests to GitLab's REST API: one python-gitlab client, with every failure turned into words."""

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.utils import requote_uri
from urllib3.util import parse_url

from gitlab_mcp import __version__
from gitlab_mcp.api import job_token
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity, entities
from gitlab_mcp.api.error_context import explained
from gitlab_mcp.api.error_mapping import refusal, unreachable
from gitlab_mcp.api.http import CONNECTIONS, GitLabSession, header
from gitlab_mcp.api.identity import Identity
from gitlab_mcp.api.response_body import parsed, pieces
from gitlab_mcp.api.retry import time_of, wait_to_retry
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Failure, GitLabRefusal, InvalidArgument
from gitlab_mcp.safety.escape import TEXT_FIELDS, neutralize
from gitlab_mcp.safety.policy import Policy

if TYPE_CHECKING:
    import gitlab

P = ParamSpec("P")
T = TypeVar("T")

THREADS = "gitlab-request"
PAGE = 100  # rows of a page, at most: https://docs.gitlab.com/api/rest/#pagination


@dataclass(frozen=True)
class Page:
    """A page of a list. `total` is None where GitLab does not count (over 10,000 rows).

    `at` is GitLab's time of the answer, in seconds since the epoch.
    """

    rows: list[Entity]
    number: int
    next_number: int | None
    total: int | None
    pages: int | None
    at: float


class GitLab:
    """The GitLab of this run. Its methods are called from many threads at once.

    Every method raises a Failure: GitLabRefusal and its kinds when GitLab answers with an error, Unreachable when
    no usable answer comes.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.policy = Policy(settings)
        self.identity = Identity(self)
        self._session = GitLabSession(settings.ca_files, self._check_redirect)
        self._executor = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix=THREADS)
        self._connecting = threading.Lock()

    @cached_property
    def _gitlab(self) -> "gitlab.Gitlab":
        client: gitlab.Gitlab = python_gitlab().Gitlab(
            self.settings.url,
            oauth_token=self.settings.credential.token,  # Bearer serves every kind of token
            session=self._session,
            keep_base_url=True,
            user_agent=f"gitlab-mcp-server/{__version__}",
        )
        return client

    def get(self, path: str, /, **query: object) -> Entity:
        """GET one object."""
        return self._object("get", path, query=query)

    def post(self, path: str, body: Mapping[str, object]) -> Entity:
        """POST a JSON body."""
        return self._object("post", path, body=body)

    def put(self, path: str, body: Mapping[str, object]) -> Entity:
        """PUT a JSON body."""
        return self._object("put", path, body=body)

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> None:
        """A write that GitLab answers without a body."""
        self._request(method, path, body=body)

    def page(self, path: str, number: int = 1, per_page: int = PAGE, /, **query: object) -> Page:
        """GET one page of a list."""
        response = self._request("get", path, query={**query, "page": number, "per_page": per_page})
        found = parsed(response, "get", path)
        if not isinstance(found, list):
            raise unreachable("get", ValueError(), path, found=f"{type(found).__name__} instead of a list")
        rows = list(entities(found))
        headers = response.headers
        following = header(headers, "x-next-page")
        if following is None and 'rel="next"' in headers.get("link", ""):
            following = number + 1
        return Page(
            rows, number, following, header(headers, "x-total"), header(headers, "x-total-pages"), time_of(headers)
        )

    def raw(self, path: str, /, **query: object) -> bytes:
        """GET something that is no JSON, such as the content of a file."""
        return self._request("get", path, query=query).content

    def stream(self, path: str) -> Iterator[bytes]:
        """GET something that may be larger than what is kept in memory, such as the log of a job, in pieces."""
        return pieces(self._request("get", path, streamed=True))

    def may_push(self, project: str) -> bool:
        """Whether GitLab lets the job token push to the project at this path: what git itself would ask first."""
        token = self.settings.push_token
        self.policy.check("get", f"/projects/{segment(project)}/repository", None, self._default_branch)
        address = f"{self.settings.url}/{quote(project)}.git/info/refs"
        seconds = current_call.get().remaining()
        try:
            answer = self._session.get(
                address,
                params={"service": "git-receive-pack"},
                auth=("gitlab-ci-token", token.token if token else ""),
                timeout=seconds,
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            raise unreachable("get", error, self.settings.url) from error
        if answer.status_code not in (200, 401, 403):
            raise refusal("get", answer.status_code, answer.content, answer.headers, self.settings)
        return answer.status_code == 200

    @cached_property
    def user(self) -> Entity:
        """Whom the credential belongs to."""
        return self.get("/user")

    def every(self, path: str, /, **query: object) -> list[Entity]:
        """All rows of a list."""
        first = self.page(path, 1, PAGE, **query)
        return [*first.rows, *self.after(first, path, **query)]

    def after(self, first: Page, path: str, /, **query: object) -> list[Entity]:
        """The rows of a list after its first page, asked for at the same time where GitLab says how many there are."""
        if first.pages is not None:
            later = [partial(self.page, path, number, PAGE, **query) for number in range(2, first.pages + 1)]
            return [row for page in self.together(later) for row in page.rows]
        rows: list[Entity] = []
        following = first.next_number
        while following:
            page = self.page(path, following, PAGE, **query)
            rows += page.rows
            following = page.next_number
        return rows

    def every_readable(self, path: str, /, **query: object) -> list[Entity]:
        """Like `every`, but nothing where GitLab refuses: for what is good to know and not what was asked."""
        return unless_refused(partial(self.every, path, **query), [])

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin a call beside others; `result()` waits for it and raises its failure.

        What is begun from inside such a call is done at once instead: its threads must not wait for each other.
        """
        if threading.current_thread().name.startswith(THREADS):
            done: Future[T] = Future()
            try:
                done.set_result(call(*args, **kwargs))
            except Failure as failure:
                done.set_exception(failure)
            return done
        return self._executor.submit(copy_context().run, partial(call, *args, **kwargs))

    def together(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """Make several calls at the same time; their results in order. The first failure is raised."""
        futures = [self.start(call) for call in calls]
        try:
            return [future.result() for future in futures]
        except Failure:
            for future in futures:
                future.cancel()  # what has not begun yet would only ask again what was refused
            raise

    def _object(self, method: str, path: str, **data: Any) -> Entity:
        """An answer that must be an object: an empty one would be taken for an empty file or issue."""
        found = parsed(self._request(method, path, **data), method, path)
        if not isinstance(found, dict) or not found:
            told = "nothing" if not found else f"{type(found).__name__} instead of an object"
            raise unreachable(method, ValueError(), path, found=told)
        return Entity(found)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        streamed: bool = False,
    ) -> requests.Response:
        call, attempt = current_call.get(), 0
        while True:
            attempt += 1
            try:
                return self._send(method, path, query or {}, body, call.remaining(), streamed)
            except Failure as failure:
                if method != "get":
                    raise
                wait_to_retry(call, attempt, failure)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Mapping[str, object] | None,
        seconds: float,
        streamed: bool,
    ) -> requests.Response:
        exceptions = python_gitlab().exceptions
        self.policy.check(method, path, body, self._default_branch)
        if self.settings.credential.kind == "job token" and not job_token.takes(method, path):
            raise job_token.not_taken(method, path)
        with self._connecting:
            client = self._gitlab
        try:
            return client.http_request(
                method,
                path,
                query_data={name: value for name, value in query.items() if value not in (None, "")},
                post_data=self._inert(body) if body is not None else None,
                timeout=seconds,
                streamed=streamed,
                # Its own repeats are blind: it sends a POST again on 429, and would on any lost answer.
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
        except (exceptions.GitlabHttpError, exceptions.GitlabAuthenticationError) as error:
            headers = self._session.last_headers
            failure = refusal(method, error.response_code or 0, error.response_body, headers, self.settings)
            raise explained(self, self.identity, failure, method, path) from error
        except (requests.RequestException, ValueError) as error:  # a redirect to what is no URL is a ValueError
            raise unreachable(method, error, self.settings.url) from error

    def _inert(self, body: Mapping[str, object]) -> dict[str, object]:
        """A body whose texts execute nothing and call nobody; tools need not think of it."""
        return {
            name: self.outgoing(value) if name in TEXT_FIELDS and isinstance(value, str) else value
            for name, value in body.items()
        }

    def outgoing(self, text: str) -> str:
        """A text as it is sent: what a look-up has to look for."""
        return neutralize(text, ("all", self.settings.trigger))

    def _check_redirect(self, method: str, url: str) -> None:
        """Raise Refused for a redirect to what the policy of the run forbids."""
        # As GitLab will read it: without dots, needless encoding and empty segments.
        path = re.sub("/+", "/", parse_url(requote_uri(url)).path or "")
        api = f"{urlsplit(self.settings.url).path}/api/v4"
        if path.startswith(f"{api}/"):
            self.policy.check(method, path[len(api) :], None, self._default_branch)

    def _default_branch(self, project: str) -> str:
        return self.get(f"/projects/{segment(project)}").text("default_branch")


def python_gitlab() -> Any:
    """The module gitlab, which takes a quarter of a second to import: not before the client has its list of tools."""
    if "HOME" not in os.environ:
        try:
            Path.home()
        except RuntimeError:  # a container's user without a line in passwd; the import would fail on that
            os.environ["HOME"] = os.devnull
    import gitlab.exceptions

    return gitlab


def unless_refused(ask: Callable[[], T], instead: T) -> T:
    """What `ask` finds; `instead` where GitLab refuses it."""
    try:
        return ask()
    except GitLabRefusal:
        return instead


def segment(text: str) -> str:
    """`text` as one segment of a URL's path, with "/" encoded too.

    Raises InvalidArgument for "." and "..", which every HTTP library resolves instead of sending.
    """
    if text in (".", ".."):
        raise InvalidArgument(f'"{text}" is no name that GitLab knows.')
    return quote(text, safe="")
