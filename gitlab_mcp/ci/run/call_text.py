"""A tool call in the log of a run: its name and arguments in a line, and what it changed or returned in a few more."""

from collections.abc import Mapping

from gitlab_mcp.claude_code.events import ToolCall, ToolResult
from gitlab_mcp.render.steps import EDITING, READING, command, path, text_of

ARGUMENT_CHARACTERS = 60
ARGUMENTS = 4
CONTEXT_LINES = 2  # around a change
COMPARED_LINES = 2_000
# The tools whose results say nothing to people: the log shows the task list itself.
SAYING_NOTHING = ("TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "TodoWrite", "ToolSearch")


def name(tool: str) -> str:
    """The name of a tool: `gitlab get_issue` for mcp__gitlab__get_issue."""
    server, _, own = tool.removeprefix("mcp__").partition("__")
    return f"{server} {own}" if tool.startswith("mcp__") and own else tool


def arguments(call: ToolCall, folder: str) -> str:
    """The command, the file, or the short arguments of a call."""
    if call.tool == "Bash":
        return command(call)
    if call.tool in EDITING + READING:
        return path(call, folder)
    shown = {key: value for key, value in call.input.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{key}: {_short(value)}" for key, value in list(shown.items())[:ARGUMENTS])


def returned(call: ToolCall, result: ToolResult) -> str:
    """The text that a call returned; "" where it says nothing to people."""
    return "" if not result.is_error and (call.tool in SAYING_NOTHING or result.details.get("isAsync")) else result.text


def changed_lines(call: ToolCall, result: ToolResult) -> list[str]:
    """The change of a call that edited a file, as the lines of a diff; [] for any other call and for a failed one."""
    if call.tool not in EDITING or result.is_error:
        return []
    old, new = text_of(call, "old_string"), text_of(call, "new_string") or text_of(call, "new_source")
    if call.tool == "Write":
        original = result.details.get("originalFile")
        old, new = original if isinstance(original, str) else "", text_of(call, "content")
    return diff(old, new)


def diff(old: str, new: str) -> list[str]:
    """What differs between two texts: the lines between their common beginning and their common end."""
    before, after = (text.removesuffix("\n").split("\n")[:COMPARED_LINES] if text else [] for text in (old, new))
    pairs = list(zip(before, after, strict=False))
    start = next((index for index, (left, right) in enumerate(pairs) if left != right), len(pairs))
    rest = list(zip(reversed(before[start:]), reversed(after[start:]), strict=False))
    end = next((index for index, (left, right) in enumerate(rest) if left != right), len(rest))
    return [
        *(f"  {line}" for line in before[max(0, start - CONTEXT_LINES) : start]),
        *(f"- {line}" for line in before[start : len(before) - end]),
        *(f"+ {line}" for line in after[start : len(after) - end]),
        *(f"  {line}" for line in before[len(before) - end :][:CONTEXT_LINES]),
    ]


def counted(lines: list[str]) -> str:
    """The size of a change, as `+2 -1`."""
    return f"+{sum(line.startswith('+') for line in lines)} -{sum(line.startswith('-') for line in lines)}"


def task_mark(state: str) -> str:
    """The check box of a task."""
    marks: Mapping[str, str] = {"completed": "[x]", "in_progress": "[>]"}
    return marks.get(state, "[ ]")


def _short(value: object) -> str:
    text = " ".join(str(value)[: ARGUMENT_CHARACTERS * 4].split())
    return text if len(text) <= ARGUMENT_CHARACTERS else f"{text[: ARGUMENT_CHARACTERS - 1]}…"
