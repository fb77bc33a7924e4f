"""A scripted model: an Anthropic Messages API on loopback that says what a test wants it to say.

with Model([Call("mcp__gitlab__get_issue", {"iid": 7}), "Done."]) as model:
    ...  # run the CLI with ANTHROPIC_BASE_URL=model.url
assert "mcp__gitlab__get_issue" in model.requests[0].tools
assert model.requests[-1].results[0].text.startswith("# #7")
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool_use that the model asks for."""

    name: str
    input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Status(Exception):
    """An HTTP error that the model's API answers with, such as 401 or 529."""

    status: int


Turn = str | Call | Sequence[str | Call]


@dataclass(frozen=True)
class Result:
    """What the CLI gave back for one tool_use."""

    name: str
    content: list[Block]
    is_error: bool

    @property
    def text(self) -> str:
        """All text of the result; another kind of block stands as its name in brackets."""
        return _text(self.content)


@dataclass(frozen=True)
class Request:
    """One request of the CLI, whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def is_turn(self) -> bool:
        """Whether it is a turn of the conversation: the CLI's side requests, such as for a title, offer no tools."""
        asked = self.path.partition("?")[0]
        return self.method == "POST" and asked == "/v1/messages" and bool(self.body.get("tools"))

    @property
    def tools(self) -> dict[str, Block]:
        """The definitions that the model got, by name."""
        return {str(tool.get("name")): tool for tool in self.body.get("tools", [])}

    @property
    def tools_in_full(self) -> set[str]:
        """The names of the tools that the model could call at once: not those that wait for a search."""
        return {name for name, tool in self.tools.items() if not tool.get("defer_loading")}

    @property
    def system(self) -> str:
        """The system prompt."""
        return _text(_blocks(self.body.get("system", "")))

    @property
    def messages(self) -> list[Block]:
        """The messages, as they came."""
        return list(self.body.get("messages", []))

    def said(self, role: str = "") -> str:
        """The text of all messages, or of those of one role; the CLI puts notices into messages of role "system"."""
        wanted = [message for message in self.messages if role in ("", message["role"])]
        return "\n".join(_text(_blocks(message["content"])) for message in wanted)

    @property
    def results(self) -> list[Result]:
        """The results of all tools called so far, in the order in which they stand."""
        return list(self._results())

    def _results(self) -> Iterator[Result]:
        names: dict[str, str] = {}
        for message in self.messages:
            for block in _blocks(message["content"]):
                if block["type"] == "tool_use":
                    names[block["id"]] = block["name"]
                elif block["type"] == "tool_result":
                    content = _blocks(block.get("content") or "")
                    yield Result(names[block["tool_use_id"]], content, bool(block.get("is_error")))

    @property
    def turn(self) -> int:
        """How many turns of the model came before: the same for a request that is sent again."""
        return sum(message["role"] == "assistant" for message in self.messages)


Script = Sequence[Turn] | Callable[[Request], Turn]


class Model:
    """Serves while it is entered. `script` is a list of turns, then `final`, or a function from a request to a turn.

    An error of that function goes to the CLI as one that is not tried again, and out of the `with` afterwards.
    """

    def __init__(self, script: Script = (), final: str = "DONE") -> None:
        self.everything: list[Request] = []  # side requests, counted tokens and all
        self._script = script
        self._final = final
        self._failure: BaseException | None = None
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="scripted-model"
        )
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """What ANTHROPIC_BASE_URL is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """The requests of the conversation."""
        with self._lock:
            return [request for request in self.everything if request.is_turn]

    def __enter__(self) -> "Model":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        # The script's own error says more than what failed for want of an answer.
        if self._failure is not None:
            raise self._failure

    def take(self, request: Request) -> tuple[str, bytes]:
        """Record `request`; the content type and body of its answer."""
        with self._lock:
            self.everything.append(request)
            number = len(self.everything)
        if request.path.partition("?")[0].endswith("/count_tokens"):
            return _json({"input_tokens": len(json.dumps(request.body)) // 4})
        if not request.path.startswith("/v1/messages"):
            return _json({})
        message = self._message(request, number)
        if not request.body.get("stream"):
            return _json(message)
        return "text/event-stream", b"".join(_events(message))

    def failed(self, error: BaseException) -> None:
        """Keep the first error of the script for the end."""
        with self._lock:
            self._failure = self._failure or error

    def _message(self, request: Request, number: int) -> Block:
        turn = self._turn(request) if request.is_turn else "ok"
        content: list[Block] = []
        for index, part in enumerate([turn] if isinstance(turn, str | Call) else turn):
            if isinstance(part, str):
                content.append({"type": "text", "text": part})
            else:
                identity = f"toolu_{number:04}{index:04}"
                content.append({"type": "tool_use", "id": identity, "name": part.name, "input": part.input})
        calls = any(block["type"] == "tool_use" for block in content)
        return {
            "id": f"msg_{number:04}",
            "type": "message",
            "role": "assistant",
            "model": request.body.get("model", ""),
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 10},
        }

    def _turn(self, request: Request) -> Turn:
        if callable(self._script):
            return self._script(request)
        return self._script[request.turn] if request.turn < len(self._script) else self._final


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for them

    def __init__(self, model: Model) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        threading.current_thread().name = "scripted-model-request"
        super().process_request_thread(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30  # a connection that is opened and never used

    def answer(self) -> None:
        """Hand the request to the model and send what it says."""
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, json.loads(data) if data else {})
        status = 200
        try:
            kind, body = self.server.model.take(request)
        except Status as error:
            status = error.status
            kind, body = _json({"type": "error", "error": {"type": "api_error", "message": f"Status {status}"}})
        except BaseException as error:  # noqa: BLE001  # it is raised in the test
            self.server.model.failed(error)
            status = 403  # the one that is not tried again; a 400 is, with fewer features each time
            reason = {"type": "permission_error", "message": f"The script failed: {error}"}
            kind, body = _json({"type": "error", "error": reason})
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except ConnectionError:
            pass  # the CLI was ended in the middle

    do_GET = do_POST = do_HEAD = answer  # noqa: N815  # the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
        """Say nothing: all is recorded."""


def _blocks(content: str | list[Block]) -> list[Block]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(blocks: list[Block]) -> str:
    return "\n".join(block["text"] if block["type"] == "text" else f"[{block['type']}]" for block in blocks)


def _json(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def _events(message: Block) -> Iterator[bytes]:
    """A message as the stream of server-sent events that a CLI reads."""
    yield _event("message_start", message={**message, "content": [], "stop_reason": None})
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            whole = json.dumps(block["input"])
            empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": whole}
        yield _event("content_block_start", index=index, content_block=empty)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage={"output_tokens": 10})
    yield _event("message_stop")


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
