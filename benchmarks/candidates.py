"""The servers that are measured, and with which calls each does the same tasks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.answers import FILE, ISSUE, MERGE_REQUEST, MESSAGE, NEW_BRANCH, NEW_FILES, NOTE, PROJECT, TITLE
from benchmarks.process import Call, ServerProcess
from benchmarks.stub import Stub

OURS, WITHOUT_INSTANT = "this server", "without instant start"
LOOP, PLAIN = "loop of the standard library", "plain server on mcp"
_PYTHON = sys.executable
_COMMAND = str(Path(_PYTHON).with_name("gitlab-mcp-server"))

# What an agent does, in the order of the journey.
ISSUE_TASK, FILES_TASK, FILE_TASK = "issue with comments", "list of files", "one file"
CHANGE_TASK, NOTE_TASK, DIFF_TASK = "branch, three files, merge request", "comment", "diff"
REVIEW_TASK = "comment on the merge request"
JOURNEY = (ISSUE_TASK, FILES_TASK, FILE_TASK, CHANGE_TASK, NOTE_TASK, DIFF_TASK, REVIEW_TASK)
TASKS = JOURNEY[:-1]  # a comment on the merge request is one more comment
READING = (ISSUE_TASK, FILES_TASK, FILE_TASK, DIFF_TASK)
ONE_REQUEST = (FILES_TASK, FILE_TASK)  # the tasks for which this server sends a single request

_numbers = count(1)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A server: its command and environment, and the calls of each task.

    In a value of the environment "{url}" and "{token}" stand for the stub's; in an argument "{n}" stands for a number
    that is new in each call, so that no server takes a write for one that it has already done.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Sequence[Call]] = field(default_factory=dict)

    def start(self, stub: Stub) -> ServerProcess:
        """Start it against a stub."""
        values = {name: value.format(url=stub.url, token=stub.token) for name, value in self.environment.items()}
        return ServerProcess(self.command, values)

    def do(self, server: ServerProcess, task: str) -> int:
        """Do a task; returns the bytes of text in its results."""
        return sum(len(server.call(tool, numbered(arguments)).encode()) for tool, arguments in self.tasks[task])


def numbered(value: Any) -> Any:
    """Arguments with each "{n}" replaced."""
    if isinstance(value, Mapping):
        return {key: numbered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbered(inner) for inner in value]
    return value.replace("{n}", str(next(_numbers))) if isinstance(value, str) else value


def own() -> Candidate:
    """This server in a CI job that has an access token: the environment in which it is used most."""
    environment = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": "{url}",
        "CI_PROJECT_ID": "1",
        "CI_PROJECT_PATH": PROJECT,
        "CI_DEFAULT_BRANCH": "main",
        "CI_JOB_TOKEN": "glcbt-known-answers-only",
        "GITLAB_ACCESS_TOKEN": "{token}",
    }
    change = {
        "branch": NEW_BRANCH,
        "ref": "main",
        "message": f"{MESSAGE} {{n}}",
        "actions": [{"path": path, "content": content} for path, content in NEW_FILES.items()],
        "merge_request": {"title": TITLE},
    }
    tasks: dict[str, list[Call]] = {
        ISSUE_TASK: [("get_issue", {"iid": f"#{ISSUE}"})],
        FILES_TASK: [("list_files", {"recursive": True})],
        FILE_TASK: [("get_file", {"path": FILE})],
        CHANGE_TASK: [("commit_files", change)],
        NOTE_TASK: [("create_note", {"iid": f"#{ISSUE}", "body": f"{NOTE} {{n}}"})],
        DIFF_TASK: [("get_merge_request_diff", {"iid": f"!{MERGE_REQUEST}"})],
        REVIEW_TASK: [("create_note", {"iid": f"!{MERGE_REQUEST}", "body": f"{NOTE} {{n}}"})],
    }
    return Candidate(OURS, (_COMMAND, "serve"), environment, tasks)


def comparators(tools: Path) -> list[Candidate]:
    """What the start is compared with; they cannot do the other tasks.

    This server as the SDK alone starts it, a plain server with one tool, and what no server in Python can be faster
    than: a loop that answers with the list of tools in a file.
    """
    ours = own()
    waiting = (*ours.command, "--no-instant-start")
    without = Candidate(WITHOUT_INSTANT, waiting, ours.environment, {ISSUE_TASK: ours.tasks[ISSUE_TASK]})
    loop = Candidate(LOOP, (_PYTHON, str(Path(__file__).with_name("loop_server.py")), str(tools)))
    calls: list[Call] = [("get_issue", {"iid": str(ISSUE)})]
    environment = {"GITLAB_URL": "{url}", "GITLAB_ACCESS_TOKEN": "{token}"}
    plain_command = (_PYTHON, str(Path(__file__).with_name("plain_server.py")))
    return [without, loop, Candidate(PLAIN, plain_command, environment, {ISSUE_TASK: calls})]
