"""An HTTP proxy before GitLab that loses requests and answers on purpose."""

import io
import random
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# The connection breaks, and the write takes effect only after so many later requests are answered: a look-up or four,
# which are a moment or seconds.
SLOW = {"slow": 1, "late": 4}
FAULTS = ("before", "after", "middle", "502 before", "502 after", "503 before", "504 after", "429", *SLOW)


@dataclass
class FaultProxy:
    """Where it listens, and the faults that are to meet the next writes (and reads), in order.

    `rewrite` is given the path and the body of every answer, and gives the body that is passed on.
    """

    url: str
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    rewrite: Callable[[str, bytes], bytes] | None = None
    deliver: Callable[[], None] = lambda: None  # lets the slow writes that are still on their way take effect

    def next_fault(self, method: str, path: str) -> str:
        """The fault for a request; "" for none. Git fetches by POST too."""
        queue = self.reads if method in ("GET", "HEAD") or path.endswith("/git-upload-pack") else self.writes
        fault = queue.pop(0) if queue else ""
        if fault:
            self.met.append(fault)
        return fault


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy on 127.0.0.1 before the GitLab at `upstream`."""
    target = urlsplit(upstream)
    lock = threading.Lock()
    slow: list[tuple[int, bytes]] = []  # the later requests that each write still waits for

    def deliver(answered: int = max(SLOW.values())) -> None:
        with lock:  # the next request waits for it
            waiting = [(left - answered, request) for left, request in slow]
            slow[:] = [one for one in waiting if one[0] > 0]
            for left, request in waiting:
                if left <= 0:
                    _ask(target.hostname or "", target.port or 80, request)

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # the client was killed
                while self._one():
                    pass

        def _one(self) -> bool:
            request = _message(self.rfile)
            if not request:
                return False
            try:
                return self._met(request)
            finally:
                if not self.is_slow:
                    deliver(1)

        is_slow = False

        def _met(self, request: bytes) -> bool:
            method, path = request.split(b" ", 2)[:2]
            with lock:
                fault = proxy.next_fault(method.decode(), path.decode())
            self.is_slow = fault in SLOW
            if self.is_slow:
                with lock:
                    slow.append((SLOW[fault], request))
                return self._break()
            if fault == "before":
                return self._break()
            if fault == "429":
                return self._answer("429 Too Many Requests", "Retry later", "Retry-After: 0\r\n")
            if fault.endswith(" before"):
                return self._answer(f"{fault[:3]} Bad", "<html>no</html>")
            answer = _ask(target.hostname or "", target.port or 80, request)
            if fault == "after":
                return self._break()
            if fault == "middle":
                head, _, body = answer.partition(b"\r\n\r\n")
                self.wfile.write(head + b"\r\n\r\n" + body[: len(body) // 2])
                return self._break()
            if fault.endswith(" after"):
                return self._answer(f"{fault[:3]} Bad", "<html>no</html>")
            if proxy.rewrite:
                head, _, body = answer.partition(b"\r\n\r\n")
                with lock:
                    body = proxy.rewrite(path.decode(), body)
                head = re.sub(rb"(?i)content-length: *\d+", b"Content-Length: %d" % len(body), head)
                answer = head + b"\r\n\r\n" + body
            self.wfile.write(answer)
            return True

        def _answer(self, status: str, body: str, more: str = "") -> bool:
            self.wfile.write(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            return True

        def _break(self) -> bool:
            self.wfile.flush()
            self.request.shutdown(socket.SHUT_RDWR)
            return False

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Handler)
    proxy = FaultProxy(f"http://127.0.0.1:{server.server_address[1]}", deliver=deliver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _message(stream: io.BufferedIOBase) -> bytes:
    """A whole HTTP message with a Content-Length body; b"" at the end."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    head = b"".join(lines)
    length = re.search(rb"(?i)content-length:\s*(\d+)", head)
    body: bytes = stream.read(int(length[1])) if length else b""
    return head + body


def _ask(host: str, port: int, request: bytes) -> bytes:
    with socket.create_connection((host, port), 30) as connection:
        head, end, body = request.partition(b"\r\n")
        connection.sendall(
            head + b"\r\nConnection: close" + end + re.sub(rb"(?i)connection: keep-alive\r\n", b"", body, count=1)
        )
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    answer = b"".join(pieces)
    return re.sub(rb"(?i)connection: close\r\n", b"", answer, count=1)


def plan(seed: int) -> tuple[list[str], list[str]]:
    """The faults of a run: one to three on its writes, none to two on the reads in between."""
    chosen = random.Random(seed)  # noqa: S311  # the same run again for the same seed
    writes = [chosen.choice(FAULTS) for _ in range(chosen.choice((1, 1, 1, 2, 3)))]
    reads = [chosen.choice(["", "before", "after", "502 before", "429"]) for _ in range(chosen.choice((0, 0, 1, 2, 6)))]
    return writes, reads


def faults_met(met: Mapping[str, int]) -> str:
    """The line of a proof's summary that says how often each fault occurred."""
    return "faults met: " + ", ".join(f"{name} {number}" for name, number in sorted(met.items()))


def in_batches(first_seed: int, runs: int, size: int) -> Iterator[range]:
    """The seeds of `runs` runs, at most `size` at a time: a new GitLab for each batch keeps its lists short."""
    seeds = range(first_seed, first_seed + runs)
    yield from (seeds[start : start + size] for start in range(0, len(seeds), size))
