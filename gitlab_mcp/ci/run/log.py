"""The log of a run while it goes on: what Claude says, each tool call with its outcome and time, edits as a diff."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitlab_mcp.ci.run.call_text import arguments, changed_lines, counted, name, returned, task_mark
from gitlab_mcp.ci.run.log_text import log_line, shortened
from gitlab_mcp.ci.run.result import RunResult
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
from gitlab_mcp.claude_code.task_list import TaskList
from gitlab_mcp.render.progress import OPEN_CALLS, elapsed
from gitlab_mcp.render.steps import SUBAGENTS

QUIET_SECONDS = 60
CALL_CHARACTERS = 200
TEXT_LINES, TEXT_CHARACTERS = 200, 2_000  # of a text of the model, and of a line of it
START_LINES, END_LINES = 10, 20  # of a result or a diff
# Runners keep 4 MB of a log by default (output_limit). From here on results are left out, so that its end is kept.
LONGEST_LOG = 3_000_000

GREEN, RED, YELLOW, DIM = "32", "31", "33", "2"
CLEAR = "\x1b[0K"


@dataclass(frozen=True)
class OpenCall:
    """A call without a result, and the time at which it began."""

    call: ToolCall
    since: float


class RunLog:
    """Writes the log to `write`, which gets a line at a time, with its end.

    `sections` are GitLab's collapsible sections, which only a job's log has. With `confidential` the log has only the
    names of tools, outcomes and times. `secrets` are values that no line must contain. Every `now` is a time in seconds
    since the epoch; the first one is the beginning of the run.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        now: float,
        *,
        sections: bool = True,
        colors: bool = True,
        confidential: bool = False,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._write = write
        self._begun = self._last = now
        self._sections = sections
        self._colors = colors
        self._confidential = confidential
        self._secrets = secrets
        self._start = SessionStart()
        self._calls: dict[str, OpenCall] = {}
        self._tasks = TaskList()
        self._written = 0
        self._section = 0

    def show(self, event: Event, now: float) -> None:
        """Write what an event says; most events are a line or a few, some are none."""
        match event:
            case SessionStart():
                self._start = event
                servers = ", ".join(f"{server} {state}" for server, state in event.servers.items()) or "none"
                parts = [f"Claude Code {event.version}", event.model, f"MCP servers: {servers}"]
                self._line(" · ".join(filter(None, parts)), now)
            case ModelText() if not self._confidential:
                self._show_text(event, now)
            case ToolCall():
                self._calls[event.call_id] = OpenCall(event, now)
                if len(self._calls) > OPEN_CALLS:
                    del self._calls[next(iter(self._calls))]
            case ToolResult() if open_call := self._calls.pop(event.call_id, None):
                self._show_result(open_call, event, now)
            case PermissionDenied():
                refused = self._calls.pop(event.call_id, OpenCall(ToolCall(event.call_id, event.tool), now)).call
                reason = "" if self._confidential else f": {event.message}"
                self._line(f"{self._title(refused)} · refused{reason}", now, "✗", RED)
            case ApiRetry():
                self._show_retry(event, now)
            case SessionEnd() if event.is_error and not self._confidential:
                self._line(event.text or event.subtype, now, "✗", RED)

    def tick(self, now: float) -> None:
        """Write a line if none was written for a minute. Call it every second or so."""
        if now - self._last < QUIET_SECONDS:
            return
        waiting = [f"{self._title(each.call)} ({elapsed(now - each.since)})" for each in self._calls.values()]
        doing = f"still running: {', '.join(waiting[:3])}" if waiting else "waiting for the model"
        self._line(f"{elapsed(now - self._begun)}: {doing}", now, "…", DIM)

    def say(self, text: str, now: float) -> None:
        """Write a line of the run's own, such as a warning; it is written in a confidential run too."""
        self._line(text, now)

    def finish(self, result: RunResult, now: float) -> None:
        """Write the calls that got no result, and the table of the result."""
        for each in self._calls.values():
            self._line(f"{self._title(each.call)}: no result · {elapsed(now - each.since)}", now, "-", DIM)
        self._calls.clear()
        self._put("", now)
        for row in result.table(confidential=self._confidential):
            self._line(row, now)

    def _show_text(self, event: ModelText, now: float) -> None:
        indent = "    " if event.in_subagent else ""
        lines = shortened(event.text.strip("\n").split("\n"), TEXT_LINES - END_LINES, END_LINES)
        for number, line in enumerate(lines if self._written < LONGEST_LOG else lines[:1]):
            shown = log_line(line, self._secrets, TEXT_CHARACTERS)
            self._put(f"{indent}{'  ' if number else '● '}{shown}".rstrip(), now)

    def _show_result(self, open_call: OpenCall, result: ToolResult, now: float) -> None:
        call = open_call.call
        changes = changed_lines(call, result)
        mark = self._paint("✗", RED) if result.is_error else self._paint("✓", GREEN)
        parts = [
            f"{mark} {self._title(call)}",
            "failed" if result.is_error else "",
            counted(changes) if changes and not self._confidential else "",
            _short_time(now - open_call.since),
        ]
        title = f"{'    ' if call.in_subagent else ''}{' · '.join(filter(None, parts))}"
        text = returned(call, result).strip("\n")
        body = changes or (text.split("\n") if text.strip() else [])
        shown = [] if self._confidential or self._written > LONGEST_LOG else shortened(body, START_LINES, END_LINES)
        lines = [log_line(line, self._secrets) for line in shown]
        self._put_section(title, lines, open_call.since, now, is_open=result.is_error, is_diff=bool(changes))
        if self._tasks.take(call, result) and not self._confidential:
            for task in self._tasks.tasks:
                self._line(task.subject, now, f"  {task_mark(task.state)}")

    def _show_retry(self, event: ApiRetry, now: float) -> None:
        status = str(event.status or "no response")
        reason = "" if self._confidential or not event.message else f" ({event.message})"
        times = f"attempt {event.attempt} of {event.max_attempts}" if event.max_attempts else f"attempt {event.attempt}"
        again = f"again in {_short_time(event.delay_seconds)}"
        self._line(f"the model's API: {status}{reason}, {times}, {again}", now, "…", YELLOW)

    def _name(self, tool: str) -> str:
        """The name of a tool. Where the model calls one that does not exist, the name is text of the model."""
        is_known = tool in (*self._start.tools, *SUBAGENTS)
        return "an unknown tool" if self._confidential and not is_known else name(tool)

    def _title(self, call: ToolCall) -> str:
        shown = "" if self._confidential else arguments(call, self._start.folder)
        return log_line(f"{self._name(call.tool)} {shown}", self._secrets, CALL_CHARACTERS)

    def _put_section(
        self, title: str, lines: Sequence[str], since: float, now: float, *, is_open: bool, is_diff: bool
    ) -> None:
        if not lines or not self._sections:
            self._put(title, now)
        else:
            self._section += 1
            section = f"claude_{self._section}"
            options = "" if is_open or is_diff else "[collapsed=true]"
            self._put(f"{CLEAR}section_start:{since:.0f}:{section}{options}\r{CLEAR}{title}", now)
        for line in lines:
            color = {"+": GREEN, "-": RED}.get(line[:1], "")
            self._put(f"    {self._paint(line, color if is_diff else '')}", now)
        if lines and self._sections:
            self._put(f"{CLEAR}section_end:{now:.0f}:{section}\r{CLEAR}", now)

    def _line(self, text: str, now: float, mark: str = "", color: str = "") -> None:
        shown = log_line(text, self._secrets)
        self._put(f"{self._paint(mark, color)} {shown}" if mark else shown, now)

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._colors and color else text

    def _put(self, line: str, now: float) -> None:
        self._write(f"{line}\n")
        self._written += len(line)
        self._last = now


def _short_time(seconds: float) -> str:
    return f"{max(seconds, 0):.1f}s" if seconds < 9.95 else elapsed(seconds)
