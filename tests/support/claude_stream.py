"""Lines of Claude Code's event stream, and what is written from them: the log, the note and the result."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitlab_mcp.ci.run.log import RunLog
from gitlab_mcp.ci.run.result import RunResult, run_result
from gitlab_mcp.claude_code.ending import ending_of
from gitlab_mcp.claude_code.events import Event, SessionEnd
from gitlab_mcp.claude_code.stream import EventReader
from gitlab_mcp.render.progress import Progress
from tests.support.paths import REPOSITORY

FOLDER = "/builds/acme/app"
JOB_URL = "https://gitlab.example.com/acme/app/-/jobs/77"
BEGUN = 1_795_890_000.0
Line = dict[str, Any]

# What Claude Code 2.1.330 wrote with a scripted model on the sandbox, with the paths and the address of a job.
RECORDED = (REPOSITORY / "tests" / "support" / "recorded_run.jsonl").read_bytes()


def start(**changes: Any) -> Line:
    servers = [{"name": "gitlab", "status": "connected"}]
    tools = ["Bash", "Edit", "Read", "Write", "WebFetch", "mcp__gitlab__get_issue", "mcp__gitlab__commit_files"]
    line = {"type": "system", "subtype": "init", "session_id": "s1", "cwd": FOLDER, "model": "opus", "tools": tools}
    return {**line, "claude_code_version": "2.1.330", "mcp_servers": servers, **changes}


def said(text: object, **changes: Any) -> Line:
    return {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}, **changes}


def called(tool: object, given: object, call_id: object = "c1", **changes: Any) -> Line:
    block = {"type": "tool_use", "id": call_id, "name": tool, "input": given}
    return {"type": "assistant", "message": {"content": [block]}, **changes}


def returned(content: object, call_id: object = "c1", *, failed: object = False, details: object = None) -> Line:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": failed}
    return {"type": "user", "message": {"content": [block]}, "tool_use_result": details}


def call(
    tool: str, given: object, content: object = "ok", *, failed: bool = False, details: object = None
) -> list[Line]:
    """A call and its result."""
    return [called(tool, given), returned(content, failed=failed, details=details)]


def gitlab(tool: str, given: object, content: str, *, failed: bool = False) -> list[Line]:
    """A call of this server and its answer."""
    return call(f"mcp__gitlab__{tool}", given, [{"type": "text", "text": content}], failed=failed)


def edit(path: str, old: str = "a", new: str = "b") -> list[Line]:
    given = {"file_path": f"{FOLDER}/{path}", "old_string": old, "new_string": new}
    return call("Edit", given, "The file has been updated.")


def denied(tool: str, message: str = "No rule allows it.") -> Line:
    names = {"tool_name": tool, "tool_use_id": "c1", "message": message}
    return {"type": "system", "subtype": "permission_denied", **names}


def retried(status: int | None, attempt: int = 1, **changes: Any) -> Line:
    line = {"type": "system", "subtype": "api_retry", "attempt": attempt, "max_retries": 10, "retry_delay_ms": 2500}
    return {**line, "error_status": status, "error": "overloaded_error", **changes}


def ended(text: object = "It is done.", **changes: Any) -> Line:
    line = {"type": "result", "subtype": "success", "is_error": False, "result": text, "session_id": "s1"}
    usage = {"opus": {"inputTokens": 700, "cacheReadInputTokens": 40, "outputTokens": 60}}
    numbers = {"num_turns": 14, "total_cost_usd": 0.314, "duration_ms": 252_000, "modelUsage": usage}
    return {**line, **numbers, "terminal_reason": "completed", **changes}


def stream(*lines: Line | Iterable[Line]) -> bytes:
    """The bytes of a stream."""
    flat = [line for each in lines for line in ([each] if isinstance(each, dict) else each)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in flat)


def read(data: bytes, secrets: tuple[str, ...] = ()) -> list[Event]:
    """The events of a stream."""
    reader = EventReader(secrets)
    return [*reader.feed(data), *reader.close()]


@dataclass
class Watched:
    """What was written of a stream: the log, the states of the note, and the result."""

    log: str
    states: list[str]
    note: str
    result: RunResult


def watch(data: bytes, secrets: tuple[str, ...] = (), *, tick: float = 1.0, **options: Any) -> Watched:
    """Write the log and the note of a stream, with an event every `tick` seconds, or at its own time if `tick` is 0."""
    now = begun = BEGUN if tick else min(filter(None, map(_time, data.splitlines())))
    written: list[str] = []
    log = RunLog(written.append, now, secrets=secrets, **{"colors": False, **options})
    progress = Progress(JOB_URL, secrets=secrets)
    states, end = [progress.working()], None
    reader = EventReader(secrets)
    for line in data.splitlines(keepends=True):
        now = now + tick if tick else max(now, _time(line))
        for event in reader.feed(line):
            log.tick(now)
            log.show(event, now)
            states += [progress.working()] if progress.take(event) else []
            end = event if isinstance(event, SessionEnd) else end
    result = run_result(ending_of(end), now - begun, end, progress, secrets=secrets)
    log.finish(result, now)
    return Watched("".join(written), states, progress.ended(result.ending, result.seconds, end), result)


def _time(line: bytes) -> float:
    stamp = json.loads(line).get("timestamp")
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else 0.0
