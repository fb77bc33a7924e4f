"""Running a sandbox: in this process as `Sandbox`, or until a signal with `serve`."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

import click
import uvicorn

from gitlab_mcp.sandbox.faults.injector import FaultInjector
from gitlab_mcp.sandbox.http.app import Gateway
from gitlab_mcp.sandbox.http.errors import SandboxError
from gitlab_mcp.sandbox.http.webhook_sender import WebhookSender
from gitlab_mcp.sandbox.seed import failed_pipeline, populate
from gitlab_mcp.sandbox.state import runner
from gitlab_mcp.sandbox.state.model import Job, Pipeline, Token
from gitlab_mcp.sandbox.state.world import VERSION, World

_HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """A uvicorn server that signals when it is ready, and resets open connections when it shuts down."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self.gateway = gateway
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        # Shut down at once when asked to, instead of at uvicorn's next tick.
        ticking = asyncio.create_task(super().main_loop())
        closing = asyncio.create_task(self.gateway.closing.wait())
        await asyncio.wait([ticking, closing], return_when=asyncio.FIRST_COMPLETED)
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.gateway.connections.cut_all()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        await asyncio.gather(*self.gateway.cleanups, return_exceptions=True)
        # uvicorn's own shutdown waits for clients to finish; here every connection is closed already.
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()


class Sandbox:
    """A small GitLab on 127.0.0.1 for as long as the `with` block lasts.

    `repo` is a git repository whose copy becomes the project (the original is only read). `port` 0 takes a free port.
    `fault_injection` lets tests make requests fail through `faults`. `prefix`, such as "/gitlab", is put before all
    paths. `ssl` is (certfile, keyfile). `version` is the GitLab version, such as "19.1.0", that it behaves like where
    that matters (`World.is_at_least`), and `plan` the plan of its namespaces (`World`). `webhook_timeout` is how long a
    webhook's receiver may take, in seconds. Raises SandboxError if the sandbox cannot be started.
    """

    def __init__(
        self,
        repo: str | Path | None = None,
        port: int = 0,
        fault_injection: bool = False,
        prefix: str = "",
        ssl: tuple[str | Path, str | Path] | None = None,
        version: str = VERSION,
        plan: str = "",
        webhook_timeout: float = 10.0,
    ) -> None:
        self._closed = False
        self._root = Path(tempfile.mkdtemp(prefix="gitlab-sandbox-"))
        # The files are removed even if the program ends without closing its sandbox.
        self._removal = weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)
        # asyncio turns Nagle's algorithm off only for a socket with an explicit protocol; without that every response
        # waits 40 ms for the client.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        prefix = f"/{prefix.strip('/')}" if prefix.strip("/") else ""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._socket.bind((_HOST, port))
            except OSError as error:
                raise SandboxError(f"Port {port} cannot be used: {error.strerror}.") from error
            self.url = f"{'https' if ssl else 'http'}://{_HOST}:{self._socket.getsockname()[1]}{prefix}"
            self.world = World(self._root, self.url, version, plan)
            self.world.git.check()
            seeded = populate(self.world, Path(repo) if repo is not None else None)
            self.project = seeded.project.full_path
            self.project_id = seeded.project.id
            self.job = seeded.job
            self.tokens = seeded.tokens
            self._faults = FaultInjector() if fault_injection else None
            self._webhook_sender = WebhookSender(self.world, webhook_timeout)
            self.world.send_webhook = self._webhook_sender.send
            self._start(prefix, ssl)
        except BaseException:
            self.close()
            raise

    @property
    def executed_quick_actions(self) -> list[dict[str, Any]]:
        """The quick actions that texts contained, oldest first, as dicts of command, argument, user and where."""
        return list(self.world.executed_quick_actions)

    @property
    def mentions(self) -> list[dict[str, Any]]:
        """The @mentions in texts, outside code, oldest first, as dicts of username (or all) and where."""
        return list(self.world.mentions)

    @property
    def faults(self) -> FaultInjector:
        """What makes requests fail. Raises SandboxError if the sandbox was started without `fault_injection`."""
        if self._faults is None:
            raise SandboxError("The sandbox was started without fault injection.")
        return self._faults

    def fail_pipeline(self, branch: str) -> Pipeline:
        """Add a pipeline whose tests failed to a branch of the project."""
        project = self.world.projects[self.project_id]
        with project.lock:
            return failed_pipeline.create(self.world, project, branch)

    def take_job(self) -> tuple[Job, Token] | None:
        """Take the oldest job that waits for a runner, with its CI_JOB_TOKEN; None if none waits.

        Whoever takes it runs it, looks at its status meanwhile (canceling ends it), and calls `finish_job`.
        """
        return runner.take(self.world, list(self.world.projects.values()))

    def finish_job(self, job: Job, status: str, log: bytes = b"", artifacts: Mapping[str, bytes] | None = None) -> None:
        """Report the end of a job that was taken: its status (success or failed), its log and its artifacts by path."""
        runner.finish(self.world, job, status, log, artifacts)

    def _start(self, prefix: str, ssl: tuple[str | Path, str | Path] | None) -> None:
        gateway = Gateway(self.world, self._faults, prefix, self._webhook_sender)
        config = uvicorn.Config(
            gateway,
            http=gateway.connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            ssl_certfile=ssl[0] if ssl else None,
            ssl_keyfile=ssl[1] if ssl else None,
        )
        self._server = server = _Server(config, gateway)
        failure: list[BaseException] = []

        def serve() -> None:
            try:
                server.run(sockets=[self._socket])
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the start
                failure.append(error)
            finally:
                server.ready.set()

        self._thread = threading.Thread(target=serve, name="gitlab-sandbox", daemon=True)
        self._thread.start()
        server.ready.wait()
        if failure or not server.started:
            raise SandboxError(f"The sandbox could not be started: {failure[0] if failure else 'unknown reason'}")

    def close(self) -> None:
        """Stop the server, whatever its clients do, kill its git commands and remove its files."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "world"):
            self.world.closing.set()
            self.world.git.close()
        if hasattr(self, "_webhook_sender"):
            self._webhook_sender.close()
        if self._server is not None and self._thread is not None:
            server = self._server
            server.should_exit = server.force_exit = True
            if server.loop is not None and not server.loop.is_closed():
                server.loop.call_soon_threadsafe(server.gateway.closing.set)
            self._thread.join()
            server.gateway.threads.shutdown(wait=True, cancel_futures=True)
        self._socket.close()
        self._removal()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int, repo: Path | None, fault_injection: bool, as_json: bool) -> None:
    """Run a sandbox until SIGTERM, SIGINT or SIGHUP (its terminal was closed), after printing how to use it.

    With `as_json` it prints one line of JSON: {"url", "project", "project_id", "tokens": {name: value}}. Raises
    SandboxError if the sandbox cannot be started. Must be called from the main thread.
    """

    def wake(signum: int, frame: FrameType | None) -> None:
        """Do nothing: the number of the signal is written to the wakeup socket."""

    ending = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as after nohup
        ending.append(signal.SIGHUP)
    # A socket and not an Event: a signal that comes just before a thread begins to wait for a lock does not wake it.
    waiting, waking = socket.socketpair()
    waking.setblocking(False)
    previous_wakeup = signal.set_wakeup_fd(waking.fileno())
    previous = {number: signal.signal(number, wake) for number in ending}
    try:
        with Sandbox(repo=repo, port=port, fault_injection=fault_injection) as sandbox:
            click.echo(_as_json(sandbox) if as_json else _as_text(sandbox))
            sys.stdout.flush()
            waiting.recv(1)
    finally:
        signal.set_wakeup_fd(previous_wakeup)
        for number, handler in previous.items():
            signal.signal(number, handler)
        waiting.close()
        waking.close()


def _as_json(sandbox: Sandbox) -> str:
    facts = {
        "url": sandbox.url,
        "project": sandbox.project,
        "project_id": sandbox.project_id,
        "tokens": sandbox.tokens,
    }
    return json.dumps(facts)


def _as_text(sandbox: Sandbox) -> str:
    token = sandbox.tokens["developer"]
    parts = urlsplit(sandbox.url)
    clone = f"{parts.scheme}://developer:{token}@{parts.netloc}{parts.path}/{sandbox.project}.git"
    width = max(map(len, sandbox.tokens))
    others = "".join(f"  {name:{width}}  {value}\n" for name, value in sandbox.tokens.items() if name != "developer")
    return (
        f"The sandbox GitLab is running with project {sandbox.project}. To use it:\n\n"
        f"  export GITLAB_URL={sandbox.url}\n"
        f"  export GITLAB_ACCESS_TOKEN={token}\n"
        f"  export GITLAB_PROJECT={sandbox.project}\n"
        f"  git clone {clone}\n\n"
        f"Tokens of other users, kinds and scopes:\n\n{others}\n"
        "It forgets everything when it ends: press Ctrl-C."
    )
