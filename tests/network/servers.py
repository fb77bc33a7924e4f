"""Small real servers: one that answers as it is told and keeps what it was asked, and an HTTP proxy."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TLS_HANDSHAKE = b"\x16"  # how what a TLS client sends first begins


@dataclass(frozen=True)
class Asked:
    """A request that arrived; header names are in lower case, `sender` tells connections apart."""

    method: str
    path: str
    headers: dict[str, str]
    sender: object = None


@dataclass
class Recorder:
    """A running server, and the requests that it got."""

    url: str
    asked: list[Asked] = field(default_factory=list)


Respond = Callable[[BaseHTTPRequestHandler], None]


def json_answer(
    handler: BaseHTTPRequestHandler, body: bytes = b"{}", status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    """Send a whole JSON answer."""
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


class _AnsweringServer(ThreadingHTTPServer):
    """With `tls` it speaks TLS with clients that begin with it, and plain HTTP with the others, on the same port."""

    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, sender = super().get_request()
        if self.tls and connection.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            return self.tls.wrap_socket(connection, server_side=True), sender
        return connection, sender


@contextmanager
def answering(
    respond: Respond, bodies: list[dict[str, Any]] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Recorder]:
    """A server on 127.0.0.1 that keeps each request (and its JSON body in `bodies`) and lets `respond` answer it.

    With `tls` it answers HTTPS as well as HTTP.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if bodies is not None and body:
                bodies.append(json.loads(body))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.asked.append(Asked(self.command, self.path, headers, self.client_address))
            try:
                respond(self)
            except OSError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815  # http.server's own names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = _AnsweringServer(("127.0.0.1", 0), Handler)
    server.tls = tls
    recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
    with _running(server):
        yield recorder


@contextmanager
def proxy() -> Iterator[Recorder]:
    """A real HTTP proxy: CONNECT tunnels, and plain requests by absolute URL are passed on byte by byte."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = self.request.recv(4096)
                if not piece:
                    return
                head += piece
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in lines}
            recorder.asked.append(Asked(method, target, headers))
            if method == "CONNECT":
                host, port = target.rsplit(":", 1)
                with socket.create_connection((host, int(port)), 10) as upstream:
                    self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._pipe(upstream)
            else:
                parts = urlsplit(target)
                path = target.split(parts.netloc, 1)[1]
                with socket.create_connection((str(parts.hostname), parts.port or 80), 10) as upstream:
                    upstream.sendall(head.replace(target.encode(), path.encode(), 1))
                    self._pipe(upstream)

        def _pipe(self, upstream: socket.socket) -> None:
            back = threading.Thread(target=_copy, args=(upstream, self.request), daemon=True)
            back.start()
            _copy(self.request, upstream)
            back.join(10)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Handler)
    recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
    with _running(server):
        yield recorder


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
