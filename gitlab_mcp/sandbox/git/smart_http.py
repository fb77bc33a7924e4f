"""Git's smart HTTP protocol: authentication and permissions, with git http-backend doing the rest."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

from gitlab_mcp.sandbox.git.process import end_group
from gitlab_mcp.sandbox.git.push import after_push, write_hooks
from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Project, Token
from gitlab_mcp.sandbox.state.users import DEVELOPER
from gitlab_mcp.sandbox.state.webhooks import Delivery
from gitlab_mcp.sandbox.state.world import World

_SERVICES = ("git-upload-pack", "git-receive-pack")
_MISSING = "The project you were looking for could not be found or you don't have permission to view it."
_DENIED = (
    "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or "
    "you're required to use a token instead of a password."
)
_NO_PUSH = "You are not allowed to push code to this project."
_NO_FETCH = "You are not allowed to download code from this project."
_JOB_USER = "gitlab-ci-token"
_CHUNK = 65_536
_FLUSH = b"0000"
# The most data in one packet of git's protocol, with room for its header.
_PACKET = 65_000


@dataclass(frozen=True)
class GitRequest:
    """A git request; `tail` is what follows the project's .git in the path, and `service` the git service it is for."""

    project_path: str
    tail: str
    service: str
    method: str
    query: str
    headers: Mapping[str, str]


class Refusal(Exception):
    """An error response to a git request, in plain text; git prints it after `remote:`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def parse_request(method: str, raw_path: str, query: str, headers: Mapping[str, str]) -> GitRequest | None:
    """The git request that an HTTP request is, or None if it is something else."""
    path = unquote(raw_path).lstrip("/")
    for tail in ("info/refs", *_SERVICES):
        if not path.endswith(f"/{tail}"):
            continue
        name = path.removesuffix(f"/{tail}").removesuffix(".git")
        service = parse_qs(query).get("service", [""])[0] if tail == "info/refs" else tail
        if name.count("/") == 1:
            return GitRequest(name, tail, service, method, query, headers)
    return None


def authorize(world: World, request: GitRequest) -> tuple[Project, Token | None]:
    """The project and the token of a git request; raises Refusal, with GitLab's message, if it is not allowed."""
    if request.service not in _SERVICES or request.method not in ("GET", "POST"):
        raise Refusal(403, "Git over HTTP: only the smart protocol is supported")
    token = _token(world, request)
    user = token.user if token else None
    path = request.project_path.lower()
    project = world.project_by_path(world.moved.get(path, path))
    pushing = request.service == "git-receive-pack"
    if user is None and (project is None or not permissions.may_read_code(None, project) or pushing):
        raise Refusal(401, "HTTP Basic: Access denied")
    job = token.job if token else None
    if job is not None and project is not None and (refusal := permissions.job_project_refusal(job, project)):
        raise Refusal(403, refusal)
    if project is None or not permissions.may_see(user, project):
        raise Refusal(404, _MISSING)
    if not permissions.may_read_code(user, project):
        raise Refusal(403, _NO_FETCH)
    if pushing:
        if project.archived:
            raise Refusal(403, "You can't push code to an archived project.")
        if permissions.role(user, project) < DEVELOPER or (job and not permissions.job_may_push(world, job, project)):
            raise Refusal(403, _NO_PUSH)
    return project, token


def _token(world: World, request: GitRequest) -> Token | None:
    authorization = request.headers.get("authorization")
    if not authorization:
        return None
    name, password = permissions.basic_login(authorization) or ("", "")
    token = world.tokens.get(password)
    needed = {"api", "write_repository"}
    if request.service == "git-upload-pack":
        needed |= {"read_repository"}
    try:
        if token is None or (token.job is not None and (name != _JOB_USER or not token.job.running)):
            raise Refusal(401, _DENIED)
        permissions.require_active(world, token)
    except ApiError as error:
        raise Refusal(401, "HTTP Basic: Access denied") from error
    if token.kind == "pat" and not needed & set(token.scopes):
        raise Refusal(403, _NO_PUSH if request.service == "git-receive-pack" else _NO_FETCH)
    token.last_used_at = world.now()
    return token


Send = Callable[[int, list[tuple[bytes, bytes]], AsyncIterator[bytes]], Awaitable[None]]


class HttpBackend:
    """One run of git http-backend, with its input and output streamed; `deliveries` are the webhooks of a push.

    `cleanups` gets the task that cleans up afterwards; whoever stops the event loop waits for these tasks.
    """

    def __init__(
        self,
        world: World,
        request: GitRequest,
        project: Project,
        token: Token | None,
        cleanups: set[asyncio.Task[None]],
    ) -> None:
        self.world = world
        self.cleanups = cleanups
        self.request = request
        self.project = project
        self.token = token
        self.user = token.user if token else None
        self.deliveries: list[Delivery] = []
        self.spool = Path(tempfile.mkdtemp(prefix="push-", dir=world.root))

    async def run(self, body: AsyncIterator[bytes], send: Send) -> None:
        """Handle the request; `send` is called with the status, the headers and the body in chunks."""
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment(),
            start_new_session=True,
        )  # fmt: skip
        feeding = asyncio.create_task(_send_body(process, body))
        try:
            status, headers = await _read_headers(process)
            await send(status, headers, self._output(process))
        finally:
            # Shielded, because closing the sandbox cancels this task, and git must be killed even then.
            ending = asyncio.create_task(self._end(process, feeding))
            self.cleanups.add(ending)
            ending.add_done_callback(self.cleanups.discard)
            await asyncio.shield(ending)

    async def _end(self, process: asyncio.subprocess.Process, feeding: asyncio.Task[None]) -> None:
        feeding.cancel()
        if process.returncode is None:
            end_group(process.pid)
        await asyncio.gather(feeding, return_exceptions=True)
        await process.wait()
        # The pipes may still be open if the loop stops now; asyncio has no public way to close them.
        process._transport.close()  # type: ignore[attr-defined]
        shutil.rmtree(self.spool, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        headers, repository = self.request.headers, self.project.repository
        name = self.user.username if self.user else ""
        variables = {
            **self.world.git.environment,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(repository.path.parent),
            "PATH_INFO": f"/{repository.path.name}/{self.request.tail}",
            "REQUEST_METHOD": self.request.method,
            "QUERY_STRING": self.request.query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "REMOTE_USER": name,
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_COMMITTER_NAME": name or "nobody",
            "GIT_COMMITTER_EMAIL": f"{name or 'nobody'}@example.com",
        }
        if "content-length" in headers:
            variables["CONTENT_LENGTH"] = headers["content-length"]
        if encoding := headers.get("content-encoding"):
            variables["HTTP_CONTENT_ENCODING"] = encoding
        if protocol := headers.get("git-protocol"):
            variables["GIT_PROTOCOL"] = protocol
        if self.request.service == "git-receive-pack":
            variables |= write_hooks(self.project, self.user, self.spool)
        return variables

    async def _output(self, process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
        """The output of git; after a push, GitLab's own messages are inserted before the final flush packet."""
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        pushed = self.request.tail == "git-receive-pack"
        held = b""
        while chunk := await process.stdout.read(_CHUNK):
            held += chunk
            if not pushed:
                yield held
                held = b""
            elif len(held) > len(_FLUSH):
                yield held[: -len(_FLUSH)]
                held = held[-len(_FLUSH) :]
        if pushed and self.token is not None:
            lines, self.deliveries = await asyncio.to_thread(
                after_push, self.world, self.project, self.token, self.spool
            )
            if held == _FLUSH:
                text = "".join(f"{line}\n" for line in lines).encode()
                for start in range(0, len(text), _PACKET):
                    packet = b"\x02" + text[start : start + _PACKET]
                    yield b"%04x" % (len(packet) + 4) + packet
        yield held


async def _send_body(process: asyncio.subprocess.Process, body: AsyncIterator[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        async for chunk in body:
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        process.stdin.close()


async def _read_headers(process: asyncio.subprocess.Process) -> tuple[int, list[tuple[bytes, bytes]]]:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    status = 200
    headers: list[tuple[bytes, bytes]] = []
    while True:
        line = (await process.stdout.readline()).rstrip(b"\r\n")
        if not line:
            return status if headers or status != 200 else 500, headers
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
