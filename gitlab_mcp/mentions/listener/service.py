"""The listener as a whole: the HTTP server, the workers and the store, from the start to the end of the process."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gitlab_mcp.api.deadline import limited
from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.errors import Failure
from gitlab_mcp.mentions.listener.app import ListenerApp
from gitlab_mcp.mentions.listener.clients import Clients
from gitlab_mcp.mentions.listener.config import ListenerConfig, read_config
from gitlab_mcp.mentions.listener.logging import JsonFormatter, log_as_json
from gitlab_mcp.mentions.listener.metrics import Metrics
from gitlab_mcp.mentions.listener.store import Store
from gitlab_mcp.mentions.listener.work import Service, logger
from gitlab_mcp.mentions.listener.worker import Workers

CONNECTION_SECONDS = 15.0  # a connection as a whole: its header, its body and the answer
MOST_CONNECTIONS_AT_A_TIME = 512
BACKLOG = 2048
GRACE_SECONDS = 5  # for the deliveries that are being read at the end
RELOAD_SECONDS = 1.0
FIRST_LOOK_SECONDS = 5.0


class Configuration:
    """The configuration, read again when its file changes. Thread-safe.

    A file that cannot be used is reported, and the listener goes on with what it has.
    """

    def __init__(self, path: Path | None, environ: Mapping[str, str]) -> None:
        """Read the configuration. Raises SettingsError."""
        self._path, self._environ = path, environ
        self._stamp = self._stamp_now()
        self._config = read_config(path, environ)
        self._looked_at = time.monotonic()
        self._lock = threading.Lock()
        self.formatter: JsonFormatter | None = None

    def __call__(self) -> ListenerConfig:
        """The configuration as of now, at most RELOAD_SECONDS old."""
        if time.monotonic() - self._looked_at >= RELOAD_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._looked_at = time.monotonic()
                if (stamp := self._stamp_now()) != self._stamp:
                    self._stamp = stamp
                    self._reload()
            finally:
                self._lock.release()
        return self._config

    def _reload(self) -> None:
        try:
            self._config = read_config(self._path, self._environ)
        except SettingsError as error:
            logger.error("configuration not reloaded", extra={"fields": {"error": str(error)}})
            return
        if self.formatter:
            self.formatter.secrets = self._config.secrets
        logger.info("configuration reloaded")

    def _stamp_now(self) -> tuple[int, ...]:
        try:
            status = self._path.stat() if self._path else None
        except OSError:
            status = None
        return (status.st_mtime_ns, status.st_size, status.st_ino) if status else ()


class TimedProtocol(H11Protocol):
    """uvicorn's protocol with a time limit for each connection: uvicorn waits for a request's header for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._limit = self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.cancel()
        super().connection_lost(exc)


class ListenerServer(uvicorn.Server):
    """A uvicorn server that ends quietly on SIGTERM and SIGINT, so that what comes after it can drain."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(configuration: Configuration) -> bool:
    """Listen until SIGTERM or SIGINT; whether all that had begun was finished. Raises SettingsError.

    Must be called from the main thread.
    """
    config = configuration()
    listening = _bound(config)
    configuration.formatter = log_as_json(config.secrets)
    store = Store(config.database)
    service = Service(store, Clients(), Metrics())
    workers = Workers(service, configuration)
    app = ListenerApp(service, workers, configuration)
    server = ListenerServer(
        uvicorn.Config(
            app.starlette,
            host=config.host,
            port=config.port,
            http=TimedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS_AT_A_TIME,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    workers.start()
    threading.Thread(target=_learn_users, args=(service, config), name="users", daemon=True).start()
    try:
        logger.info("listening", extra={"fields": {"host": config.host, "port": listening.getsockname()[1]}})
        server.run(sockets=[listening])
    finally:
        listening.close()
        logger.info("draining")
        is_drained = workers.drain()
        if is_drained:
            store.close()
        logger.info("ended", extra={"fields": {"drained": is_drained}})
    return is_drained


def _bound(config: ListenerConfig) -> socket.socket:
    """The socket to listen on. Raises SettingsError where the address cannot be used."""
    # asyncio turns Nagle's algorithm off only for a socket with an explicit protocol.
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError(f"{config.host}:{config.port} cannot be used: {error.strerror or error}.") from error
    return listening


def _learn_users(service: Service, config: ListenerConfig) -> None:
    """Ask GitLab who the listener is, so that it ignores its own comments without asking."""
    for target in config.targets:
        try:
            with limited(FIRST_LOOK_SECONDS):
                service.clients.job_user(target)
                service.clients.of(target.gitlab).user  # noqa: B018  # the client keeps it
        except Failure as failure:
            logger.warning("user not known", extra={"fields": {"target": target.path, "error": str(failure)}})
