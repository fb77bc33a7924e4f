"""Other MCP servers for GitLab that can do the same tasks, with the versions that scripts/foreign-clients pins."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks.answers import FILE, ISSUE, MERGE_REQUEST, MESSAGE, NEW_BRANCH, NEW_FILES, NOTE, PROJECT, TITLE
from benchmarks.candidates import (
    CHANGE_TASK,
    DIFF_TASK,
    FILE_TASK,
    FILES_TASK,
    ISSUE_TASK,
    NOTE_TASK,
    REVIEW_TASK,
    Candidate,
)
from benchmarks.process import Call
from tests.foreign_clients.clients import CLIENTS
from tests.foreign_clients.packages import cache_folder, installed

_NOTE, _MESSAGE = f"{NOTE} {{n}}", f"{MESSAGE} {{n}}"
_ACTIONS = [{"action": "create", "file_path": path, "content": content} for path, content in NEW_FILES.items()]
_OPENED = {"source_branch": NEW_BRANCH, "target_branch": "main", "title": TITLE}


def _zereight(folder: Path) -> Candidate:
    def call(tool: str, **arguments: Any) -> Call:
        return tool, {"project_id": PROJECT, **arguments}

    issue, request = {"issue_iid": str(ISSUE)}, {"merge_request_iid": str(MERGE_REQUEST)}
    files = [{"file_path": path, "content": content} for path, content in NEW_FILES.items()]
    tasks = {
        ISSUE_TASK: [call("get_issue", **issue), call("list_issue_discussions", **issue)],
        FILES_TASK: [call("get_repository_tree", recursive=True)],
        FILE_TASK: [call("get_file_contents", file_path=FILE, ref="main")],
        CHANGE_TASK: [
            call("create_branch", branch=NEW_BRANCH, ref="main"),
            call("push_files", branch=NEW_BRANCH, commit_message=_MESSAGE, files=files),
            call("create_merge_request", **_OPENED),
        ],
        NOTE_TASK: [call("create_issue_note", **issue, body=_NOTE)],
        DIFF_TASK: [call("get_merge_request_diffs", **request)],
        REVIEW_TASK: [call("create_merge_request_note", **request, body=_NOTE)],
    }
    command = ("node", str(folder / "node_modules" / "@zereight" / "mcp-gitlab" / "build" / "index.js"))
    environment = {"GITLAB_PERSONAL_ACCESS_TOKEN": "{token}", "GITLAB_API_URL": "{url}/api/v4"}
    return Candidate("@zereight/mcp-gitlab", command, environment, tasks)


def _jmrplens(folder: Path) -> Candidate:
    """The surface that it has by default, of two tools: one runs an action, the other looks actions up.

    An agent has to look an action up before it can run it. These calls are left out, in the peer's favor.
    """

    def call(action: str, **params: Any) -> Call:
        return "gitlab_execute_action", {"action": action, "params": {"project_id": PROJECT, **params}}

    issue, request = {"issue_iid": ISSUE}, {"merge_request_iid": MERGE_REQUEST}
    tasks = {
        ISSUE_TASK: [call("issue.get", **issue), call("issue.discussion_list", **issue)],
        FILES_TASK: [call("repository.tree", recursive=True)],
        FILE_TASK: [call("repository.file_get", file_path=FILE, ref="main")],
        CHANGE_TASK: [
            call("branch.create", branch_name=NEW_BRANCH, ref="main"),
            call("repository.commit_create", branch=NEW_BRANCH, commit_message=_MESSAGE, actions=_ACTIONS),
            call("merge_request.create", **_OPENED),
        ],
        NOTE_TASK: [call("issue.note_create", **issue, body=_NOTE)],
        DIFF_TASK: [call("mr_review.changes_get", **request)],
        REVIEW_TASK: [call("mr_review.note_create", **request, body=_NOTE)],
    }
    command = (str(folder / "bin" / "jmrplens-gitlab-mcp-server"),)
    return Candidate("jmrplens-gitlab-mcp-server", command, {"GITLAB_TOKEN": "{token}", "GITLAB_URL": "{url}"}, tasks)


_PEERS: Mapping[str, Callable[[Path], Candidate]] = {"zereight": _zereight, "jmrplens": _jmrplens}


def versions() -> list[str]:
    """The pinned packages of all peers."""
    return [package for name in _PEERS for package in CLIENTS[name].packages]


def peers() -> Iterator[Candidate]:
    """The peers, installed into the cache where they are not; one that cannot be installed is left out with a line."""
    for name, candidate in _PEERS.items():
        try:
            yield candidate(installed(name, cache_folder()))
        except (OSError, subprocess.SubprocessError) as error:
            click.echo(f"{name} is left out, because it could not be installed: {error}", err=True)
