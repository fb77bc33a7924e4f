"""The reader of Claude Code's event stream: bytes in, typed events out, in bounded memory.

Its form was seen with Claude Code 2.1.330 and 2.1.332. Newer versions will have other events and fields: a field that
is missing or has another type is an empty value, and an event that is not known is skipped.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gitlab_mcp.claude_code.events import (
    ApiRetry,
    Event,
    ModelText,
    PermissionDenied,
    SessionEnd,
    SessionStart,
    ToolCall,
    ToolResult,
)
from gitlab_mcp.claude_code.json_lines import CUT_END, JsonLines
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import plain

CUT_CHARACTERS = 4_000  # before a cut, where the beginning of a secret could remain
# Of the input of a tool, and of what Claude Code knows of a result: how deep it is, and how much is kept in all.
INPUT_DEPTH = 8
INPUT_ITEMS = 2_000
INPUT_CHARACTERS = 100_000
NAME_CHARACTERS = 200
DENIED_TOOLS = 50
LARGEST = 10.0**15


class EventReader:
    """Reads the stream in pieces of any size. Lines that are not JSON or have no known event are skipped.

    `secrets` are values that no event must contain. `skipped` counts the lines that could not be read.
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        self._lines = JsonLines()
        self._broken = 0
        self._session: str | None = None
        self._end = SessionEnd()

    @property
    def skipped(self) -> int:
        """The number of lines that are not JSON objects or are too long."""
        return self._broken + self._lines.left_out

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events of the lines that `data` completes. The iterator must be used up before the next call."""
        for line in self._lines.feed(data):
            yield from self._events(line)

    def close(self) -> Iterator[Event]:
        """The events of a last line without an end."""
        for line in self._lines.close():
            yield from self._events(line)

    def _events(self, line: bytes) -> Iterator[Event]:
        try:
            event = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            self._broken += 1
            return
        match event.get("type"), event.get("subtype"):
            case "assistant", _:
                yield from self._of_model(event)
            case "user", _:
                yield from self._results(event)
            case "result", _:
                self._end = self._with_end(event)
                yield self._end
            case "system", "init":
                # It is repeated where a subagent that worked in the background has ended.
                if (start := self._start(event)).session_id != self._session:
                    self._session = start.session_id
                    yield start
            case "system", "permission_denied":
                call_id, tool = (self._name(event.get(name)) for name in ("tool_use_id", "tool_name"))
                yield PermissionDenied(call_id, tool, self._text(event.get("message")))
            case "system", "api_retry":
                yield ApiRetry(
                    attempt=int(_number(event.get("attempt"))),
                    max_attempts=int(_number(event.get("max_retries"))),
                    delay_seconds=_number(event.get("retry_delay_ms")) / 1000,
                    status=int(_number(event.get("error_status"))),
                    message=self._text(event.get("error")),
                )

    def _start(self, event: Mapping[str, object]) -> SessionStart:
        servers = (_object(server) for server in _list(event.get("mcp_servers")))
        return SessionStart(
            session_id=self._text(event.get("session_id")),
            model=self._text(event.get("model")),
            version=self._text(event.get("claude_code_version")),
            folder=self._text(event.get("cwd")),
            tools=tuple(filter(None, map(self._text, _list(event.get("tools"))))),
            servers={self._text(server.get("name")): self._text(server.get("status")) for server in servers},
        )

    def _of_model(self, event: Mapping[str, object]) -> Iterator[Event]:
        in_subagent = bool(event.get("parent_tool_use_id"))
        for block in map(_object, _list(_object(event.get("message")).get("content"))):
            if block.get("type") == "text" and (text := self._text(block.get("text"))).strip():
                yield ModelText(text, in_subagent)
            elif block.get("type") == "tool_use":
                given = self._input(block.get("input"))
                yield ToolCall(self._name(block.get("id")), self._name(block.get("name")), given, in_subagent)

    def _results(self, event: Mapping[str, object]) -> Iterator[Event]:
        blocks = map(_object, _list(_object(event.get("message")).get("content")))
        results = [block for block in blocks if block.get("type") == "tool_result"]
        for block in results:
            details = self._input(event.get("tool_use_result")) if len(results) == 1 else {}
            text = self._content(block.get("content"))
            text = text.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>")
            yield ToolResult(self._name(block.get("tool_use_id")), text, block.get("is_error") is True, details)

    def _content(self, content: object) -> str:
        """The text of a tool's result, which is a string or a list of blocks; other blocks are named."""
        parts = []
        for block in map(_object, _list(content)):
            kind = self._raw(block.get("type"))
            parts.append(self._raw(block.get("text")) if kind == "text" else f"[{kind}]")
        # A secret can begin in one block and end in the next.
        return self._text("\n".join(parts) if parts else content)

    def _with_end(self, event: Mapping[str, object]) -> SessionEnd:
        errors = filter(None, map(self._text, _list(event.get("errors"))))
        usages = [_object(usage) for usage in _object(event.get("modelUsage")).values()]
        denied = (_object(denial).get("tool_name") for denial in _list(event.get("permission_denials")))
        return replace(
            self._end,
            subtype=self._text(event.get("subtype")),
            is_error=bool(event.get("is_error")) or event.get("subtype") != "success",
            text=self._text(event.get("result")) or "; ".join(errors),
            reason=self._text(event.get("terminal_reason")),
            status=int(_number(event.get("api_error_status"))),
            session_id=self._text(event.get("session_id")),
            turns=self._end.turns + int(_number(event.get("num_turns"))),
            seconds=self._end.seconds + _number(event.get("duration_ms")) / 1000,
            # These are totals already.
            cost_usd=_number(event.get("total_cost_usd")),
            input_tokens=int(sum(_number(usage.get(name)) for usage in usages for name in INPUT_TOKENS)),
            output_tokens=int(sum(_number(usage.get("outputTokens")) for usage in usages)),
            denied=tuple(dict.fromkeys([*self._end.denied, *filter(None, map(self._name, denied))]))[:DENIED_TOOLS],
        )

    def _name(self, value: object) -> str:
        return self._text(value)[:NAME_CHARACTERS]

    def _text(self, value: object) -> str:
        """A string or number as clean text; "" for anything else."""
        # Secrets are looked for before and after terminal codes are taken out, which may be in one or belong to one.
        return redact(plain(redact(self._raw(value), self._secrets)), self._secrets)

    def _raw(self, value: object) -> str:
        """A string or number as text, without the end of a cut one, where the beginning of a secret could remain."""
        text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        if not text.endswith(CUT_END):
            return text
        return f"{redact(text, self._secrets)[: -CUT_CHARACTERS - len(CUT_END)]}…"

    def _input(self, value: object) -> Mapping[str, object]:
        """A JSON object with clean texts, within limits; {} for anything else."""
        items, characters = INPUT_ITEMS, INPUT_CHARACTERS

        def clean(value: object, depth: int) -> object:
            nonlocal items, characters
            items -= 1
            if isinstance(value, str):
                text = self._text(value)[:characters]
                characters -= len(text)
                return text
            if isinstance(value, dict):
                kept = value.items() if depth else ()
                return {self._name(key): clean(item, depth - 1) for key, item in kept if items > 0}
            if isinstance(value, list):
                return [clean(item, depth - 1) for item in value if items > 0] if depth else []
            return value

        return _object(clean(value, INPUT_DEPTH)) if isinstance(value, dict) else {}


INPUT_TOKENS = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float:
    """A number that is not negative; 0 for anything else, such as NaN or a number with a thousand digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    limited = min(max(value, 0), LARGEST)
    return limited if math.isfinite(limited) else 0
