"""The client of GitLab's REST API: one python-gitlab client, whose every error becomes a Failure."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlsplit

from urllib3 import make_headers
from urllib3.exceptions import HTTPError

from gitlab_mcp.api import job_token
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.entity import Entity, entities
from gitlab_mcp.api.error_context import explained
from gitlab_mcp.api.error_mapping import refusal, unreachable
from gitlab_mcp.api.http import GitLabSession, HTTPResponse, header
from gitlab_mcp.api.identity import Identity
from gitlab_mcp.api.python_gitlab import connected, python_gitlab
from gitlab_mcp.api.rate_limit import RateLimit
from gitlab_mcp.api.redirects import api_path, check_address
from gitlab_mcp.api.response_body import parsed, pieces
from gitlab_mcp.api.retry import time_of, wait_to_retry
from gitlab_mcp.api.site import Site
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Failure, GitLabRefusal, InvalidArgument
from gitlab_mcp.safety.escape import TEXT_FIELDS, neutralize
from gitlab_mcp.safety.marker import MarkedText
from gitlab_mcp.safety.policy import Policy

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME_PREFIX = "gitlab-request"
# How long a project is cached outside CI. In a job it is for the whole run: no write asks for the default branch again.
CACHE_SECONDS = 300.0
CACHED_PROJECTS = 1000
PAGE = 100  # the most rows of a page: https://docs.gitlab.com/api/rest/#pagination


@dataclass(frozen=True)
class Request:
    """A request to a path below /api/v4; without `body` and `content` it has none.

    `content` is sent as it is, `body` as JSON. `streamed`: the response may be large.
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    content: bytes | None = field(default=None, repr=False)
    streamed: bool = False


@dataclass(frozen=True)
class Page:
    """A page of a list. `total` is None where GitLab does not count (over 10,000 rows).

    `at` is the time of the response by GitLab's clock, in seconds since the epoch.
    """

    rows: list[Entity]
    number: int
    next_number: int | None
    total: int | None
    pages: int | None
    at: float


class GitLab:
    """The GitLab of this run. Thread-safe.

    Paths are below /api/v4. Every method raises GitLabRefusal or a subclass when GitLab answers with an error,
    Unreachable when no usable response arrives, and Refused when the policy of the run forbids the request.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.policy = Policy(settings)
        self.identity = Identity(self)
        self._session = GitLabSession(settings.ca_files, self._check_redirect, settings.connections)
        self._executor = ThreadPoolExecutor(settings.connections, thread_name_prefix=THREAD_NAME_PREFIX)
        self._connecting = threading.Lock()
        self._projects: dict[str, tuple[Entity, float]] = {}  # with the monotonic times at which they were read
        self.rate_limit = RateLimit()
        self.site = Site(settings.url)

    @cached_property
    def _gitlab(self) -> Any:
        return connected(self.settings, self._session)

    def get(self, path: str, /, **query: object) -> Entity:
        """GET one object."""
        return self._object(Request("get", path, query))

    def project(self, name: str) -> Entity:
        """GET a project by its path or id, unless it is cached."""
        if cached := self.cached_project(name):
            return cached
        entity = self.get(f"/projects/{segment(name)}")
        if not entity.flag("empty_repo"):  # which may get its first commit at any moment
            if len(self._projects) >= CACHED_PROJECTS:
                self._projects.clear()
            self._projects[name.lower()] = entity, time.monotonic()
        return entity

    def cached_project(self, name: str) -> Entity | None:
        """The project that `project` returns without a request; None where it would send one."""
        entity, read_at = self._projects.get(name.lower(), (None, 0.0))
        return entity if self.settings.in_ci or time.monotonic() - read_at <= CACHE_SECONDS else None

    def post(self, path: str, body: Mapping[str, object]) -> Entity:
        """POST a JSON body."""
        return self._object(Request("post", path, body=body))

    def put(self, path: str, body: Mapping[str, object]) -> Entity:
        """PUT a JSON body."""
        return self._object(Request("put", path, body=body))

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> None:
        """Send a write whose response has no body."""
        self._request(Request(method, path, body=body))

    def upload(self, path: str, content: bytes) -> None:
        """PUT the bytes of a file."""
        self._request(Request("put", path, content=content))

    def page(self, path: str, number: int = 1, per_page: int = PAGE, /, **query: object) -> Page:
        """GET one page of a list."""
        response = self._request(Request("get", path, {**query, "page": number, "per_page": per_page}))
        data = parsed(response, "get", path)
        if not isinstance(data, list):
            raise unreachable("get", ValueError(), path, f"{type(data).__name__} instead of a list")
        rows = list(entities(data))
        for row in rows[:1]:
            self.site.learn(row)
        headers = response.headers
        following = header(headers, "x-next-page")
        if following is None and 'rel="next"' in headers.get("link", ""):
            following = number + 1
        return Page(
            rows, number, following, header(headers, "x-total"), header(headers, "x-total-pages"), time_of(headers)
        )

    def raw(self, path: str, /, **query: object) -> bytes:
        """GET a body that is not JSON, such as the content of a file."""
        return self._request(Request("get", path, query)).content

    def stream(self, path: str) -> Iterator[bytes]:
        """GET a body that may be too large for memory, such as the log of a job, in chunks."""
        return pieces(self._request(Request("get", path, streamed=True)))

    def may_push(self, project: str) -> bool:
        """Whether GitLab lets the job token push to the project: asked with the request that begins a git push."""
        token = self.settings.push_token
        self.policy.check("get", f"/projects/{segment(project)}/repository", None, self._default_branch)
        address = f"{self.settings.url}/{quote(project)}.git/info/refs"
        seconds = current_call.get().remaining()
        try:
            response = self._session.get(
                address,
                params={"service": "git-receive-pack"},
                headers=make_headers(basic_auth=f"gitlab-ci-token:{token.token if token else ''}"),
                timeout=seconds,
                allow_redirects=False,
            )
        except (HTTPError, ValueError) as error:
            raise unreachable("get", error, self.settings.url) from error
        if location := response.headers.get("location"):
            check_address(location.replace(f"/{quote(project)}.git/info/refs", "/api/v4/"), self.settings.url)
        if response.status_code not in (200, 401, 403):
            raise refusal("get", response.status_code, response.content, response.headers, self.settings)
        return response.status_code == 200

    @cached_property
    def user(self) -> Entity:
        """The user to whom the credential belongs."""
        return self.get("/user")

    def every(self, path: str, /, **query: object) -> list[Entity]:
        """GET all rows of a list."""
        first = self.page(path, 1, PAGE, **query)
        return [*first.rows, *self.after(first, path, **query)]

    def after(self, first: Page, path: str, /, **query: object) -> list[Entity]:
        """GET the rows of a list after its first page, in parallel where GitLab says how many pages there are."""
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
        """Like `every`, but [] where GitLab refuses: for details without which the result is still useful."""
        return unless_refused(partial(self.every, path, **query), [])

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `call` in a thread of the pool; `result()` of the future waits for it and raises its failure.

        From inside such a thread, `call` runs at once instead: threads of one pool must not wait for each other.
        """
        if threading.current_thread().name.startswith(THREAD_NAME_PREFIX):
            return run_here(call, *args, **kwargs)
        return self._executor.submit(copy_context().run, partial(call, *args, **kwargs))

    def together(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """Run several calls in parallel, and return their results in order. Raises the first failure.

        The last one runs in this thread, which would only wait otherwise.
        """
        waiting = list(calls)
        here = [waiting.pop()] if waiting else []
        futures = [*map(self.start, waiting), *map(run_here, here)]
        try:
            return [future.result() for future in futures]
        except Failure:
            for future in futures:
                future.cancel()  # the calls that have not begun would most likely fail too
            raise

    def _object(self, request: Request) -> Entity:
        """The JSON object of a response, which must not be empty: it would be taken for an empty file or issue."""
        value = parsed(self._request(request), request.method, request.path)
        if not isinstance(value, dict) or not value:
            unexpected = "nothing" if not value else f"{type(value).__name__} instead of an object"
            raise unreachable(request.method, ValueError(), request.path, unexpected)
        entity = Entity(value)
        self.site.learn(entity)
        return entity

    def _request(self, request: Request) -> HTTPResponse:
        call, attempt = current_call.get(), 0
        while True:
            attempt += 1
            try:
                return self._send(request, call)
            except Failure as failure:
                if request.method != "get":
                    raise
                wait_to_retry(call, attempt, failure)

    def _send(self, request: Request, call: Call) -> HTTPResponse:
        seconds = call.remaining()
        self.policy.check(request.method, request.path, request.body, self._default_branch)
        if self.settings.credential.kind == "job token" and not job_token.accepts(request.method, request.path):
            raise job_token.not_accepted(request.method, request.path)
        try:
            with self.rate_limit.turn(call):
                return self._answer(request, seconds)
        except GitLabRefusal as refused:
            raise explained(self, self.identity, refused, request.method, request.path) from refused

    def _answer(self, request: Request, seconds: float) -> HTTPResponse:
        exceptions = python_gitlab().exceptions
        with self._connecting:
            client = self._gitlab
        try:
            response: HTTPResponse = client.http_request(
                request.method,
                request.path,
                query_data={name: value for name, value in request.query.items() if value not in (None, "")},
                post_data=self._neutralized(request.body) if request.body is not None else request.content,
                raw=request.content is not None,
                timeout=seconds,
                streamed=request.streamed,
                # python-gitlab's own retries are blind: it repeats a POST after 429, and would after any lost response.
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
        except (exceptions.GitlabHttpError, exceptions.GitlabAuthenticationError) as error:
            status, headers = error.response_code or 0, self._session.last_headers
            if 300 <= status < 400 and (location := headers.get("location")):
                check_address(location, self.settings.url)
            raise refusal(request.method, status, error.response_body, headers, self.settings) from error
        except (HTTPError, ValueError) as error:  # a redirect to an invalid URL is a ValueError
            raise unreachable(request.method, error, self.settings.url) from error
        return response

    def _neutralized(self, body: Mapping[str, object]) -> dict[str, object]:
        """A request body whose texts execute no quick action and mention nobody, whichever tool wrote them."""
        return {
            name: self.outgoing(value) if name in TEXT_FIELDS and isinstance(value, str | MarkedText) else value
            for name, value in body.items()
        }

    def outgoing(self, text: str | MarkedText) -> str:
        """A text in the form in which it is sent, for a look-up to compare with."""
        if isinstance(text, MarkedText):
            return str(MarkedText(text.marker, self.outgoing(text.text)))
        return neutralize(text, ("all", self.settings.trigger))

    def _check_redirect(self, method: str, url: str) -> None:
        """Raise Refused for a redirect to what the policy forbids, Unreachable for one to another address of GitLab."""
        check_address(url, self.settings.url)
        path = api_path(url)
        api = f"{urlsplit(self.settings.url).path}/api/v4"
        if path.startswith(f"{api}/"):
            self.policy.check(method, path[len(api) :], None, self._default_branch)

    def _default_branch(self, project: str) -> str:
        return self.project(project).text("default_branch")


def run_here(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The future of a call that was run in this thread."""
    future: Future[T] = Future()
    try:
        future.set_result(call(*args, **kwargs))
    except Failure as failure:
        future.set_exception(failure)
    return future


def unless_refused(request: Callable[[], T], default: T) -> T:
    """The result of `request`; `default` where it raises GitLabRefusal."""
    try:
        return request()
    except GitLabRefusal:
        return default


def segment(text: str) -> str:
    """`text` as one segment of a URL's path, with "/" encoded too.

    Raises InvalidArgument for "." and "..", which every HTTP library resolves instead of sending.
    """
    if text in (".", ".."):
        raise InvalidArgument(f'"{text}" is not a valid name in GitLab.')
    return quote(text, safe="")
