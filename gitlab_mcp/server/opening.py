"""The opening of a connection: what the client sends before the SDK is loaded, and what is answered of it at once."""

import json
import threading
from collections.abc import Callable
from typing import Any

from gitlab_mcp.server.manifest import Manifest
from gitlab_mcp.server.pipes import Receiver

HANDSHAKE = "initialize"
DISCOVER = "server/discover"
# The envelope of a request from 2026-07-28 on, in its `_meta`.
PROTOCOL_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"

# What clients declare (schema.ts of MCP, ClientCapabilities); those of MAPS are objects of objects.
CAPABILITIES = {
    "roots": {"listChanged": bool},
    "sampling": {"context": {}, "tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "tasks": {
        "list": {},
        "cancel": {},
        "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}},
    },
}
CLIENT_KEYS = {"name", "version", "title", "description", "websiteUrl"}
MAPS = ("experimental", "extensions")

LARGEST_ID = 1 << 53  # a larger one may be changed on its way through JSON
LONGEST_LINE = 10_000  # bytes; the requests that are answered here are short


class Unusual(Exception):
    """A line that only the SDK answers."""


class InstantAnswers:
    """Answers the first requests of a client from the manifest, exactly as the SDK would.

    It answers only messages of well-known form. From the first line that is anything else, the SDK answers: a
    connection's responses stay in order.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._handshakes = [revision for revision in manifest.revisions if revision < "2026"]
        self._revision = ""  # of the connection, once its first request has come
        self._ids: set[str | int] = set()

    def answer(self, line: bytes) -> tuple[str | int, dict[str, Any]] | None:
        """The id and the result for a request, or None for a notification. Raises Unusual for anything else."""
        message = _parsed(line)
        params = message.get("params", {})
        if "id" not in message:
            if not self._revision or message["method"] != "notifications/initialized" or params:
                raise Unusual
            return None
        request_id = message["id"]
        if request_id in self._ids:
            raise Unusual
        result = self._result(message["method"], params)
        self._ids.add(request_id)
        return request_id, result

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        first = not self._revision
        if first and method == HANDSHAKE:
            return self._handshake(params)
        meta = params.get("_meta", {})
        if params.keys() - {"_meta"} or not isinstance(meta, dict):
            raise Unusual
        if PROTOCOL_VERSION_KEY in meta:
            revision = _checked_envelope(meta)
            if revision not in self._manifest.revisions or revision in self._handshakes:
                raise Unusual
            if not first and self._revision != revision:
                raise Unusual
            result = self._listing(method, revision, (DISCOVER,))
        else:
            if first or self._revision not in self._handshakes or not _is_progress(meta):
                raise Unusual
            revision = self._revision
            result = {} if method == "ping" else self._listing(method, revision, ())
        self._revision = revision
        return result

    def _handshake(self, params: dict[str, Any]) -> dict[str, Any]:
        if params.keys() != {"protocolVersion", "capabilities", "clientInfo"}:
            raise Unusual
        requested = params["protocolVersion"]
        if not isinstance(requested, str):
            raise Unusual
        _check_client(params["capabilities"], params["clientInfo"])
        self._revision = requested if requested in self._handshakes else self._handshakes[-1]
        return {**self._manifest.greeting(self._revision), "protocolVersion": self._revision}

    def _listing(self, method: str, revision: str, greetings: tuple[str, ...]) -> dict[str, Any]:
        if method == "tools/list":
            return self._manifest.tools(revision)
        if method == "prompts/list":
            return self._manifest.prompts(revision)
        if method in greetings:
            return self._manifest.greeting(revision)
        raise Unusual


class Opening:
    """Receives the client's lines until the SDK takes over: answers some at once and keeps those that the SDK needs.

    The SDK gets the first request too, because it decides the revision of the connection, and the notifications. Of the
    first request it must not send the response, which the client already has: `answered` is its id.
    """

    def __init__(self, answers: InstantAnswers | None, send: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self.answered: str | int | None = None
        self._answers = answers
        self._send = send
        self._end = end
        self._kept: list[bytes | None] = []
        self._receiver: Receiver | None = None
        self._lock = threading.Lock()

    def receive(self, line: bytes | None) -> None:
        """Take the next line of the client, or None at end of input.

        At end of input the process ends at once where every request is answered.
        """
        with self._lock:
            if self._receiver:
                self._receiver(line)
            elif line is None and self._answers and self.answered is not None:
                self._end()
            elif not self._is_answered(line):
                self._kept.append(line)

    def hand_over(self, receiver: Receiver) -> None:
        """Give `receiver` the kept lines, then every further one."""
        with self._lock:
            for line in self._kept:
                receiver(line)
            self._kept.clear()
            self._receiver = receiver

    def _is_answered(self, line: bytes | None) -> bool:
        """Answer a line if that is possible at once; False where the SDK must see it."""
        if self._answers is None or line is None:
            return False
        if not line.strip():
            return True
        try:
            answer = self._answers.answer(line)
        except Unusual:
            self._answers = None
            return False
        if answer is None:
            return False
        request_id, result = answer
        response = {"jsonrpc": "2.0", "id": request_id, "result": result}
        self._send(json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode())
        if self.answered is None:
            self.answered = request_id
            return False
        return True


def _parsed(line: bytes) -> dict[str, Any]:
    """A JSON-RPC message whose form the SDK certainly accepts. Raises Unusual for any other line."""
    if len(line) > LONGEST_LINE:
        raise Unusual
    try:
        message = json.loads(line.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        json.dumps(message, ensure_ascii=False).encode()  # no unpaired surrogates
    except (ValueError, RecursionError):
        raise Unusual from None
    if not isinstance(message, dict) or message.keys() - {"jsonrpc", "id", "method", "params"}:
        raise Unusual
    if message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise Unusual
    if not _is_id(message.get("id", "")):
        raise Unusual
    if not isinstance(message.get("params", {}), dict):
        raise Unusual
    return message


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _checked_envelope(meta: dict[str, Any]) -> str:
    """The revision that the `_meta` of a request names. Raises Unusual where it holds anything but the envelope."""
    known = {PROTOCOL_VERSION_KEY, CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY}
    if meta.keys() - {*known, "progressToken"} or not _is_progress({k: v for k, v in meta.items() if k not in known}):
        raise Unusual
    if not isinstance(revision := meta[PROTOCOL_VERSION_KEY], str):
        raise Unusual
    _check_client(meta.get(CLIENT_CAPABILITIES_KEY), meta.get(CLIENT_INFO_KEY, {"name": "", "version": ""}))
    return revision


def _is_progress(meta: dict[str, Any]) -> bool:
    """Whether `meta` holds nothing but a progress token of a valid type."""
    return not meta.keys() - {"progressToken"} and _is_id(meta.get("progressToken", ""))


def _is_id(value: object) -> bool:
    """Whether `value` is certainly valid as the id of a request or as a progress token."""
    return isinstance(value, str) or (type(value) is int and abs(value) < LARGEST_ID)


def _check_client(capabilities: object, info: object) -> None:
    """Raise Unusual where a client's capabilities or its description are not certainly valid."""
    if not isinstance(capabilities, dict) or not isinstance(info, dict):
        raise Unusual
    if info.keys() - CLIENT_KEYS or not {"name", "version"} <= info.keys():
        raise Unusual
    if not all(isinstance(value, str) for value in info.values()):
        raise Unusual
    for name, value in capabilities.items():
        if name in MAPS:
            valid = isinstance(value, dict) and all(isinstance(inner, dict) for inner in value.values())
        else:
            valid = _has_shape(value, CAPABILITIES.get(name))
        if not valid:
            raise Unusual


def _has_shape(value: object, shape: object) -> bool:
    """Whether `value` is of the type `shape`, or an object whose values have the shapes of the same keys."""
    if not isinstance(shape, dict):
        return shape is not None and type(value) is shape
    return isinstance(value, dict) and all(_has_shape(inner, shape.get(key)) for key, inner in value.items())
