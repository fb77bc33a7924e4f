"""The HTTP session below python-gitlab: TLS, proxies, limits on time and size, and where a credential is sent.

It is urllib3 without requests: of the time of a request two thirds were spent in requests itself.
"""

import io
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from json import dumps
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import unquote, urlencode

import certifi
import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.proxies import PROXY_SETTINGS, proxy_for
from gitlab_mcp.api.redirects import redirect_target
from gitlab_mcp.config.certificates import add_ca_files
from gitlab_mcp.config.checkout import origin
from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS, READS

CONNECT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 30.0
BODY_BYTES = 12 * 1024 * 1024  # a file of 9 MB, as GitLab sends it in base64
# The body of a stream, such as a job's log, is kept on disk from MEMORY_BYTES on. GitLab cuts a log at 100 MB unless an
# administrator raises the limit: https://docs.gitlab.com/administration/instance_limits/#maximum-size-of-the-job-log
STREAM_BYTES = 128 * 1024 * 1024
MEMORY_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
HEADER_DIGITS = 13
HOSTS = 4  # to which connections are kept: GitLab's, and those to which it redirects
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 30
CREDENTIAL_HEADERS = ("authorization", "private-token", "job-token", "cookie")
DEFAULT_HEADERS = urllib3.make_headers(accept_encoding=True) | {"accept": "*/*"}

_MAKING_TLS_CONTEXT = threading.Lock()


class BodyTooLarge(HTTPError):
    """The body of a response is larger than `BODY_BYTES` (`STREAM_BYTES` for a stream), after decompression."""


class OutOfTime(urllib3.exceptions.TimeoutError):
    """The whole response did not arrive within the time limit of the request."""


class NoConnectionFree(urllib3.exceptions.ConnectTimeoutError):
    """All connections were in use for as long as the request could wait: it was not sent."""


class TooManyRedirects(HTTPError):
    """A read was redirected more than `MOST_REDIRECTS` times."""


@dataclass
class HTTPResponse:
    """A response whose body was read and decompressed, with the names that python-gitlab expects of it.

    `headers` ignores letter case; `url` is the one that answered, after redirects; `body` is at its beginning.
    """

    status_code: int
    reason: str
    headers: Mapping[str, str]
    url: str
    body: IO[bytes]
    history: Sequence[object] = ()  # of a redirected write, for python-gitlab: no write follows a redirect

    @property
    def response(self) -> "HTTPResponse":
        """This response: python-gitlab takes it out of the response of its backend."""
        return self

    @cached_property
    def content(self) -> bytes:
        """The whole body."""
        with self.body as body:
            return body.read()

    def json(self) -> Any:
        """Raise ValueError: python-gitlab looks for GitLab's message in an error, which `error_mapping` does itself."""
        raise ValueError("the body is parsed by response_body and error_mapping")


class GitLabSession:
    """Sends requests over at most `connections` connections. Thread-safe.

    It sends credentials only to their own origin, follows redirects of reads only, and knows neither cookies nor
    .netrc. Every method raises urllib3's HTTPError when no usable response arrives, ValueError for an invalid URL.
    """

    def __init__(
        self,
        ca_files: Iterable[Path],
        check_redirect: Callable[[str, str], None],
        connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        self._check_redirect = check_redirect
        self._connections = connections
        self._slots = threading.BoundedSemaphore(connections)
        self._tls = tls_context(tuple(ca_files))
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._routes: dict[tuple[object, ...], urllib3.PoolManager] = {}
        self._last_response = threading.local()

    @property
    def last_headers(self) -> Mapping[str, str]:
        """The headers of the last response in this thread; python-gitlab's exceptions do not contain them."""
        headers: Mapping[str, str] = getattr(self._last_response, "headers", {})
        return headers

    def request(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        params: Mapping[str, object] | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        allow_redirects: bool = True,
    ) -> HTTPResponse:
        """Send a request, and follow the redirects of a read. `timeout` is in seconds, for each of its responses.

        With `stream` the body of a success may have STREAM_BYTES, else BODY_BYTES. The request's own body is `json`, or
        `content` as it is.
        """
        self._last_response.headers = {}
        method = method.lower()
        sent = DEFAULT_HEADERS | {name.lower(): value for name, value in (headers or {}).items()}
        body = content if json is None else dumps(json, allow_nan=False).encode()
        if query := urlencode(params or {}, doseq=True):
            url = f"{url}?{query}"
        for _ in range(MOST_REDIRECTS + 1):
            response = self._exchange(method, url, body, sent, timeout, stream=stream)
            if not (allow_redirects and (target := _redirect_target(method, response))):
                self._last_response.headers = response.headers
                return response
            self._check_redirect(method, target)
            if origin(target) != origin(url):
                sent = {name: value for name, value in sent.items() if name not in CREDENTIAL_HEADERS}
            url = target
        raise TooManyRedirects(f"more than {MOST_REDIRECTS} redirects")

    def get(self, url: str, **options: Any) -> HTTPResponse:
        """GET, with the options of `request`."""
        return self.request("get", url, **options)

    def post(self, url: str, **options: Any) -> HTTPResponse:
        """POST, with the options of `request`."""
        return self.request("post", url, **options)

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: float, *, stream: bool
    ) -> HTTPResponse:
        """Send one request and read its response."""
        call = current_call.get(None)

        def left() -> float:
            return min(timeout, call.remaining()) if call else timeout

        # The pool itself would wait without a limit, and then send a request whose caller has given up.
        if not self._slots.acquire(timeout=left()):
            raise NoConnectionFree("all connections are in use")
        try:
            seconds = left()
            ends = time.monotonic() + seconds
            # urllib3's timeout counts from byte to byte: a server that sends one now and then would never time out.
            silence = urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS), read=min(seconds, READ_TIMEOUT_SECONDS))
            with self._sent(method, url, body=body, headers=headers, timeout=silence) as answer:
                limit = STREAM_BYTES if stream and answer.status == 200 else BODY_BYTES
                content = _read(answer, ends, limit)
            return HTTPResponse(answer.status, answer.reason or "", answer.headers, url, content)
        finally:
            self._slots.release()

    @contextmanager
    def _sent(self, method: str, url: str, **request: Any) -> Iterator[urllib3.BaseHTTPResponse]:
        """A response whose body is still to be read; afterwards its connection is free again, or closed on an error."""
        answer = self._pool(url).urlopen(
            method.upper(), url, redirect=False, retries=False, preload_content=False, decode_content=False, **request
        )
        try:
            yield answer
        except BaseException:
            answer.close()
            raise
        answer.release_conn()

    def _pool(self, url: str) -> urllib3.PoolManager:
        """The connections for a URL: direct ones, or those through the proxy that the environment names for its host.

        Which proxy it is, is found out again whenever a variable has changed: reading all of them takes longer than
        the rest of a request.
        """
        route = (*origin(url), *map(os.environ.get, PROXY_SETTINGS))
        if (pool := self._routes.get(route)) is None:
            proxy = proxy_for(url)
            pool = self._routes[route] = self._pools.setdefault(proxy, self._new_pool(proxy))
        return pool

    def _new_pool(self, proxy: str) -> urllib3.PoolManager:
        options: dict[str, Any] = {"num_pools": HOSTS, "maxsize": self._connections, "block": True}
        options |= {"ssl_context": self._tls, "cert_reqs": "CERT_REQUIRED"}
        if not proxy:
            return urllib3.PoolManager(**options)
        user = urllib3.util.parse_url(proxy).auth
        credentials = urllib3.make_headers(proxy_basic_auth=unquote(user)) if user else {}
        return urllib3.ProxyManager(proxy, proxy_headers=credentials, proxy_ssl_context=self._tls, **options)


def _redirect_target(method: str, response: HTTPResponse) -> str:
    """The URL to which a read is redirected; "" for any other response."""
    location = response.headers.get("location", "")
    if method not in READS or response.status_code not in REDIRECT_STATUSES or not location:
        return ""
    return redirect_target(location, response.url)


def _read(answer: urllib3.BaseHTTPResponse, ends: float, limit: int) -> IO[bytes]:
    """The body of a response. Raises BodyTooLarge over `limit` bytes, OutOfTime after the monotonic time `ends`."""
    body: IO[bytes] = io.BytesIO()
    if limit > BODY_BYTES:
        body = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  # closed by the reader of the response
    try:
        size = _copy(answer, body, ends, limit)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    if limit > BODY_BYTES and size <= MEMORY_BYTES:
        with body:
            return io.BytesIO(body.read())  # holds no file descriptor
    return body


def _copy(answer: urllib3.BaseHTTPResponse, body: IO[bytes], ends: float, limit: int) -> int:
    """Write the body of a response to `body`, and return its size in bytes."""
    size = 0
    try:
        while True:
            if time.monotonic() > ends:
                raise OutOfTime("the response did not end in time")
            chunk = answer.read1(CHUNK_BYTES, decode_content=True)
            if not chunk:
                return size
            body.write(chunk)
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(f"the response is larger than {limit // (1024 * 1024)} MB")
    except ReadTimeoutError as error:
        raise OutOfTime("the response stopped arriving") from error


def tls_context(ca_files: tuple[Path, ...]) -> ssl.SSLContext:
    """A TLS context that verifies against the system's root certificates, certifi's and `ca_files` (PEM, or a folder).

    It is made once for all callers; one that comes meanwhile waits. Raises SettingsError when a file contains no
    certificate.
    """
    with _MAKING_TLS_CONTEXT:
        return _tls_context(ca_files)


@lru_cache(maxsize=8)
def _tls_context(ca_files: tuple[Path, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python 3.13 and newer require a key usage extension, which many private CAs lack. The chain and the host name are
    # verified all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=certifi.where())
    add_ca_files(context, ca_files)
    return context


def roots(ca_files: Iterable[Path]) -> list[Path]:
    """The files and folders whose certificates `tls_context` trusts, for programs other than Python."""
    system = ssl.get_default_verify_paths()
    paths = [system.cafile, certifi.where()] if system.cafile else [system.capath, certifi.where()]
    return [*(Path(path) for path in paths if path), *ca_files]


def header(headers: Mapping[str, str], name: str) -> int | None:
    """The value of a numeric header such as x-total; None where it is missing or not a number."""
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < HEADER_DIGITS else None
