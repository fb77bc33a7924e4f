"""Claude Code's task list, which a run has where CLAUDE_CODE_ENABLE_TODO_TOOLS is set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitlab_mcp.claude_code.events import ToolCall, ToolResult

TASKS, SUBJECT_CHARACTERS = 100, 500


@dataclass(frozen=True)
class Task:
    """A task; `state` is pending, in_progress or completed."""

    subject: str
    state: str = "pending"


class TaskList:
    """The tasks by their ids, from the calls that change them: TaskCreate and TaskUpdate, or TodoWrite."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks, in the order in which they were created."""
        return list(self._tasks.values())

    def take(self, call: ToolCall, result: ToolResult) -> bool:
        """Take a call and its result; whether the list changed."""
        before = dict(self._tasks)
        if not result.is_error and call.tool == "TaskCreate":
            identity = _text(_object(result.details.get("task")).get("id")) or str(len(self._tasks) + 1)
            self._tasks[identity] = Task(_text(call.input.get("subject")))
        elif not result.is_error and call.tool == "TaskUpdate":
            self._update(_text(call.input.get("taskId")), call.input)
        elif not result.is_error and call.tool == "TodoWrite":
            todos = call.input.get("todos")
            rows = map(_object, todos if isinstance(todos, list) else [])
            self._tasks = {
                str(number): Task(_text(row.get("content")), _text(row.get("status")))
                for number, row in enumerate(rows, 1)
            }
        self._tasks = dict(list(self._tasks.items())[:TASKS])
        return self._tasks != before

    def _update(self, identity: str, change: Mapping[str, object]) -> None:
        task = self._tasks.get(identity)
        if task is None:
            return
        state = _text(change.get("status"))
        if state == "deleted":
            del self._tasks[identity]
        else:
            self._tasks[identity] = replace(
                task, subject=_text(change.get("subject")) or task.subject, state=state or task.state
            )


def _text(value: object) -> str:
    return str(value)[:SUBJECT_CHARACTERS] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
