"""The events of a run of Claude Code, as `claude -p --output-format stream-json --verbose` writes them.

All texts in them are clean: they have neither secrets nor terminal codes nor invisible characters, and are cut where
they are long. They are untrusted all the same: a model, a stranger or a program wrote them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SessionStart:
    """`system/init`: Claude Code is ready. `servers` are the states of the MCP servers by their names."""

    session_id: str = ""
    model: str = ""
    version: str = ""
    folder: str = ""
    tools: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelText:
    """A text of the model; `in_subagent` is whether a subagent wrote it."""

    text: str
    in_subagent: bool = False


@dataclass(frozen=True)
class ToolCall:
    """The model calls a tool; the ToolResult with the same `call_id` is its answer. `input` is JSON."""

    call_id: str
    tool: str
    input: Mapping[str, object] = field(default_factory=dict)
    in_subagent: bool = False


@dataclass(frozen=True)
class ToolResult:
    """The result of a tool call. `details` is what Claude Code itself knows of it, as JSON whose form may change."""

    call_id: str
    text: str
    is_error: bool = False
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class PermissionDenied:
    """A tool call that Claude Code refused, because no rule allows it."""

    call_id: str
    tool: str
    message: str


@dataclass(frozen=True)
class ApiRetry:
    """A request to the model's API failed, and Claude Code will repeat it after `delay_seconds`.

    `status` is the HTTP status, 0 where there was no response.
    """

    attempt: int
    max_attempts: int
    delay_seconds: float
    status: int
    message: str


@dataclass(frozen=True)
class SessionEnd:
    """`result`: Claude Code has answered. It is the last event of a run, which has none where it was killed.

    A run whose subagents work in the background can have several; each has the numbers of all before it too. A wrong
    key is `subtype` "success" with `is_error`. `text` is the final answer, or what went wrong where `is_error`.
    `reason` is `terminal_reason`: completed, max_turns, api_error, budget_exhausted. `cost_usd` follows Claude Code's
    own price list. `denied` are the names of the tools that were refused.
    """

    subtype: str = ""
    is_error: bool = False
    text: str = ""
    reason: str = ""
    status: int = 0
    session_id: str = ""
    turns: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    denied: tuple[str, ...] = ()


Event = SessionStart | ModelText | ToolCall | ToolResult | PermissionDenied | ApiRetry | SessionEnd
