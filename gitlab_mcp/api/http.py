"""The HTTP session that python-gitlab uses: TLS, proxies, limits on time and size, and where a credential is sent."""

import io
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.config.certificates import add_ca_files
from gitlab_mcp.config.checkout import origin
from gitlab_mcp.config.settings import READS

CONNECTIONS = 16
CONNECT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 30.0
BODY_BYTES = 12 * 1024 * 1024  # a file of 9 MB, as GitLab sends it in base64
# The body of a stream, such as a job's log, is kept on disk from MEMORY_BYTES on. GitLab cuts a log at 100 MB unless an
# administrator raises the limit: https://docs.gitlab.com/administration/instance_limits/#maximum-size-of-the-job-log
STREAM_BYTES = 128 * 1024 * 1024
MEMORY_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
HEADER_DIGITS = 13
CREDENTIAL_HEADERS = ("Authorization", "PRIVATE-TOKEN", "JOB-TOKEN")  # requests itself takes no Cookie along

_MAKING_TLS_CONTEXT = threading.Lock()


class BodyTooLarge(requests.RequestException):
    """The body of a response is larger than `BODY_BYTES` (`STREAM_BYTES` for a stream), after decompression."""


class OutOfTime(requests.Timeout):
    """The whole response did not arrive within the time limit of the request."""


class NoConnectionFree(requests.ConnectTimeout):
    """All connections were in use for as long as the request could wait: it was not sent."""


class LimitedAdapter(HTTPAdapter):
    """Sends over at most `CONNECTIONS` connections, and limits the size and the total time of a response.

    requests' own timeout counts from byte to byte, so that a server which sends a byte now and then never times out.
    """

    def __init__(self, tls: ssl.SSLContext, slots: threading.BoundedSemaphore) -> None:
        self._tls = tls
        self._slots = slots
        super().__init__(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._tls, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the TLS context verifies, with all root certificates loaded once."""

    def send(  # type: ignore[override]  # the stubs list the parameters one by one
        self, request: requests.PreparedRequest, *, timeout: float = READ_TIMEOUT_SECONDS, **kwargs: Any
    ) -> requests.Response:
        call = current_call.get(None)
        # The pool itself would wait without a limit, and then send a request whose caller has given up.
        if not self._slots.acquire(timeout=min(timeout, call.remaining()) if call else timeout):
            raise NoConnectionFree("all connections are in use")
        try:
            # requests follows a redirect with the full timeout again.
            return self._send(request, min(timeout, call.remaining()) if call else timeout, **kwargs)
        finally:
            self._slots.release()

    def _send(self, request: requests.PreparedRequest, timeout: float, **kwargs: Any) -> requests.Response:
        ends = time.monotonic() + timeout
        limit = STREAM_BYTES if kwargs.get("stream") else BODY_BYTES
        kwargs["stream"] = True  # requests must not read the body, which _read does
        silence = min(timeout, READ_TIMEOUT_SECONDS)
        response = super().send(request, timeout=(min(timeout, CONNECT_SECONDS), silence), **kwargs)
        try:
            body = _read(response, ends, limit if response.status_code == 200 else BODY_BYTES)
        except BaseException:
            response.raw.close()
            raise
        response.raw.release_conn()
        # The body that was read, already decoded, under the same headers, for both .content and iter_content().
        # requests reads cookies from the original response, which this one lacks: so none are kept.
        response.raw = urllib3.HTTPResponse(body, status=response.status_code, preload_content=False)
        return response


def _read(response: requests.Response, ends: float, limit: int) -> IO[bytes]:
    """The body of a response. Raises BodyTooLarge over `limit` bytes, OutOfTime after the monotonic time `ends`."""
    body: IO[bytes] = io.BytesIO()
    if limit > BODY_BYTES:
        body = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  # closed by the reader of the response
    try:
        size = _copy(response, body, ends, limit)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    if limit > BODY_BYTES and size <= MEMORY_BYTES:
        with body:
            return io.BytesIO(body.read())  # holds no file descriptor
    return body


def _copy(response: requests.Response, body: IO[bytes], ends: float, limit: int) -> int:
    """Write the body of a response to `body`, and return its size in bytes."""
    size = 0
    try:
        while True:
            if time.monotonic() > ends:
                raise OutOfTime("the response did not end in time")
            chunk = response.raw.read1(CHUNK_BYTES, decode_content=True)
            if not chunk:
                return size
            body.write(chunk)
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(f"the response is larger than {limit // (1024 * 1024)} MB")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise OutOfTime("the response stopped arriving") from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(
            "the response does not have the encoding of its headers"
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError("the connection broke in the middle of the response") from error


class GitLabSession(requests.Session):
    """A session that sends credentials only to their own origin and follows redirects of reads only.

    requests itself keeps PRIVATE-TOKEN and JOB-TOKEN across origins, and turns a redirected POST into a GET.
    """

    def __init__(self, ca_files: Iterable[Path], check_redirect: Callable[[str, str], None]) -> None:
        super().__init__()
        self._check_redirect = check_redirect
        self.trust_env = False  # no netrc; the proxy variables are read in merge_environment_settings
        self._last_response = threading.local()
        slots = threading.BoundedSemaphore(CONNECTIONS)
        tls = tls_context(tuple(ca_files))
        self.mount("https://", LimitedAdapter(tls, slots))
        self.mount("http://", LimitedAdapter(tls, slots))

    @property
    def last_headers(self) -> Mapping[str, str]:
        """The headers of the last response in this thread; python-gitlab's exceptions do not contain them."""
        headers: Mapping[str, str] = getattr(self._last_response, "headers", {})
        return headers

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        self._last_response.headers = {}
        response = super().send(request, **kwargs)
        self._last_response.headers = response.headers
        return response

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {**merged, "proxies": get_environ_proxies(str(url))}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        method = str(resp.request.method).lower()
        target = super().get_redirect_target(resp) if method in READS else None
        if target:
            self._check_redirect(method, urljoin(resp.url, target))
        return target

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> Any:  # noqa: ARG002
        return get_environ_proxies(str(prepared_request.url))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if origin(str(response.request.url)) != origin(str(prepared_request.url)):
            drop(prepared_request.headers, CREDENTIAL_HEADERS)


def drop(headers: Any, names: Iterable[str]) -> None:
    """Remove the headers `names` from `headers`, whatever their case."""
    for name in names:
        headers.pop(name, None)


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
    context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    add_ca_files(context, ca_files)
    return context


def roots(ca_files: Iterable[Path]) -> list[Path]:
    """The files and folders whose certificates `tls_context` trusts, for programs other than Python."""
    system = ssl.get_default_verify_paths()
    paths = [system.cafile, DEFAULT_CA_BUNDLE_PATH] if system.cafile else [system.capath, DEFAULT_CA_BUNDLE_PATH]
    return [*(Path(path) for path in paths if path), *ca_files]


def header(headers: Mapping[str, str], name: str) -> int | None:
    """The value of a numeric header such as x-total; None where it is missing or not a number."""
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < HEADER_DIGITS else None
