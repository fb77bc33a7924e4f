"""The servers that are compared: how each is started, its settings, and the calls with which it does each task."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from benchmarks.candidates import OURS, own
from benchmarks.process import Call
from gitlab_mcp.tools import TOOLS
from tests.foreign_clients.clients import CLIENTS
from tests.foreign_clients.packages import cache_folder, installed

PROJECT, OTHER_PROJECT = "acme/app", "acme/private-notes"
BRANCH, FILES = "7-empty-config", {"one.txt": "1\n", "two.txt": "2\n"}
TITLE, MESSAGE = "Read an empty file", "Read an empty configuration file"

# The tasks. A server that has no tool for a task has no calls for it.
ISSUE, FILE_LIST, FILE, CHANGE, COMMENT = "issue", "file list", "file", "change", "comment"
DRAFT, ARTIFACT, IMAGE, OTHER_FILE = "draft", "artifact", "image", "file of another project"
WORKFLOW = (ISSUE, FILE_LIST, FILE, CHANGE, COMMENT)

Environment = Mapping[str, str]
Tasks = dict[str, list[Call]]


@dataclass(frozen=True)
class Server:
    """A server. In a value of an environment "{url}", "{token}" and "{job_token}" stand for the sandbox's.

    An argument that is "{issue}", "{issue_text}", "{reference}" or another name in braces stands for a value of a
    probe. An environment that is None stands for a setting that the server does not have.
    """

    name: str
    command: Sequence[str]
    environment: Environment
    tasks: Tasks
    job: Environment  # in a job whose only credential is CI_JOB_TOKEN: instead of `environment`
    all_tools: Environment = field(default_factory=dict)
    read_only: Environment | None = None
    one_project: Environment | None = None
    redacting: Environment | None = None  # what makes it redact where it does not by itself


# Each server gets what it asks for; the variables of the job are there for all.
_JOB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "{url}",
    "CI_API_V4_URL": "{url}/api/v4",
    "CI_PROJECT_ID": "{project_id}",
    "CI_PROJECT_PATH": PROJECT,
    "CI_JOB_TOKEN": "{job_token}",
}
_OPENED = {"source_branch": BRANCH, "target_branch": "main", "title": TITLE}
_ACTIONS = [{"action": "create", "file_path": path, "content": content} for path, content in FILES.items()]


def this_server() -> Server:
    """This server, as a user starts it locally."""
    change = {
        "branch": BRANCH,
        "ref": "main",
        "message": MESSAGE,
        "actions": [{"path": path, "content": content} for path, content in FILES.items()],
        "merge_request": {"title": TITLE},
    }
    project = {"project": PROJECT}
    tasks: Tasks = {
        ISSUE: [("get_issue", {**project, "iid": "{reference}"})],
        FILE_LIST: [("list_files", {**project, "recursive": True})],
        FILE: [("get_file", {**project, "path": "src/app/config.py"})],
        CHANGE: [("commit_files", {**project, **change})],
        COMMENT: [("create_note", {**project, "iid": "{reference}", "body": "{body}"})],
        OTHER_FILE: [("get_file", {"project": OTHER_PROJECT, "path": "notes.md"})],
        DRAFT: [("review_merge_request", {**project, "iid": "!1", "summary": "{body}", "submit": False})],
        ARTIFACT: [("get_job_artifact", {**project, "job_id": "{job}", "path": "report.txt"})],
        IMAGE: [("get_attachment", {**project, "url": "{upload}"})],
    }
    return Server(
        OURS,
        own().command,
        {"GITLAB_URL": "{url}", "GITLAB_ACCESS_TOKEN": "{token}"},
        tasks,
        job=_JOB,
        all_tools={"GITLAB_MCP_TOOLSETS": ",".join(sorted({tool.toolset for tool in TOOLS}))},
        read_only={"GITLAB_MCP_READ_ONLY": "true"},
        one_project={"GITLAB_MCP_ALLOW_PROJECT": PROJECT},
    )


def _zereight(folder: Path) -> Server:
    def call(tool: str, **arguments: Any) -> Call:
        return tool, {"project_id": PROJECT, **arguments}

    files = [{"file_path": path, "content": content} for path, content in FILES.items()]
    issue = {"issue_iid": "{issue_text}"}
    tasks: Tasks = {
        ISSUE: [call("get_issue", **issue), call("list_issue_discussions", **issue)],
        FILE_LIST: [call("get_repository_tree", recursive=True)],
        FILE: [call("get_file_contents", file_path="src/app/config.py", ref="main")],
        CHANGE: [
            call("create_branch", branch=BRANCH, ref="main"),
            call("push_files", branch=BRANCH, commit_message=MESSAGE, files=files),
            call("create_merge_request", **_OPENED),
        ],
        COMMENT: [call("create_issue_note", **issue, body="{body}")],
        OTHER_FILE: [("get_file_contents", {"project_id": OTHER_PROJECT, "file_path": "notes.md", "ref": "main"})],
        DRAFT: [call("create_draft_note", merge_request_iid="1", body="{body}")],
        ARTIFACT: [call("get_job_artifact_file", job_id="{job_text}", artifact_path="report.txt")],
        IMAGE: [("download_attachment", {"project_id": PROJECT, "secret": "{secret}", "filename": "{name}"})],
    }
    address = {"GITLAB_API_URL": "{url}/api/v4", "GITLAB_DISABLE_VERSION_CHECK": "true"}
    return Server(
        "@zereight/mcp-gitlab",
        ("node", str(folder / "node_modules" / "@zereight" / "mcp-gitlab" / "build" / "index.js")),
        {"GITLAB_PERSONAL_ACCESS_TOKEN": "{token}", **address},
        tasks,
        job={**_JOB, "GITLAB_JOB_TOKEN": "{job_token}", **address},
        all_tools={"GITLAB_TOOLSETS": "all"},
        read_only={"GITLAB_PERMISSION_MODE": "readonly"},
        one_project={"GITLAB_ALLOWED_PROJECT_IDS": PROJECT},
        redacting={"GITLAB_MASKING_ENABLED": "true"},
    )


def _jmrplens(folder: Path) -> Server:
    def call(action: str, **params: Any) -> Call:
        return "gitlab_execute_action", {"action": action, "params": {"project_id": PROJECT, **params}}

    issue = {"issue_iid": "{issue}"}
    other = {"project_id": OTHER_PROJECT, "file_path": "notes.md", "ref": "main"}
    tasks: Tasks = {
        ISSUE: [call("issue.get", **issue), call("issue.discussion_list", **issue)],
        FILE_LIST: [call("repository.tree", recursive=True)],
        FILE: [call("repository.file_get", file_path="src/app/config.py", ref="main")],
        CHANGE: [
            call("branch.create", branch_name=BRANCH, ref="main"),
            call("repository.commit_create", branch=BRANCH, commit_message=MESSAGE, actions=_ACTIONS),
            call("merge_request.create", **_OPENED),
        ],
        COMMENT: [call("issue.note_create", **issue, body="{body}")],
        OTHER_FILE: [("gitlab_execute_action", {"action": "repository.file_get", "params": other})],
        DRAFT: [call("mr_review.draft_note_create", merge_request_iid=1, note="{body}")],
        ARTIFACT: [call("job.download_single_artifact", job_id="{job}", artifact_path="report.txt")],
    }
    command = str(folder / "bin" / "jmrplens-gitlab-mcp-server")
    address = {"GITLAB_URL": "{url}"}
    return Server(
        "jmrplens-gitlab-mcp-server",
        (command,),
        {"GITLAB_TOKEN": "{token}", **address},
        tasks,
        job={**_JOB, "GITLAB_TOKEN": "{job_token}", **address},
        all_tools={"GITLAB_MCP_TOOL_SURFACE": "individual"},
        read_only={"GITLAB_MCP_READ_ONLY": "true"},
    )


def _mcp_gitlab(folder: Path) -> Server:
    def call(tool: str, **arguments: Any) -> Call:
        return f"gitlab_{tool}", {"project_id": PROJECT, **arguments}

    issue = {"issue_iid": "{issue}"}
    other = {"project_id": OTHER_PROJECT, "file_path": "notes.md", "ref": "main"}
    tasks: Tasks = {
        ISSUE: [call("get_issue", **issue)],
        FILE_LIST: [call("list_tree", ref="main", recursive=True)],
        FILE: [call("get_file", file_path="src/app/config.py", ref="main")],
        CHANGE: [
            call("create_commit", branch=BRANCH, start_branch="main", commit_message=MESSAGE, actions=_ACTIONS),
            call("create_mr", **_OPENED),
        ],
        COMMENT: [call("add_issue_comment", **issue, body="{body}")],
        OTHER_FILE: [("gitlab_get_file", other)],
        DRAFT: [call("create_draft_note", mr_iid=1, body="{body}")],
    }
    command = str(folder / "bin" / "mcp-gitlab")
    return Server(
        "mcp-gitlab",
        (command,),
        {"GITLAB_TOKEN": "{token}", "GITLAB_URL": "{url}"},
        tasks,
        job={**_JOB, "GITLAB_TOKEN": "{job_token}", "GITLAB_URL": "{url}"},
        read_only={"MCP_READ_ONLY": "true", "GITLAB_READ_ONLY": "true"},
    )


PEERS: Mapping[str, Callable[[Path], Server]] = {
    "zereight": _zereight,
    "jmrplens": _jmrplens,
    "mcp-gitlab": _mcp_gitlab,
}


def peers() -> Iterator[Server]:
    """The other servers, installed where they are not; one that cannot be installed is left out with a line."""
    for name, server in PEERS.items():
        try:
            yield server(installed(name, cache_folder()))
        except (OSError, subprocess.SubprocessError) as error:
            click.echo(f"{name} is left out, because it could not be installed: {error}", err=True)


def versions() -> list[str]:
    """The pinned packages of the other servers."""
    return [package for name in PEERS for package in CLIENTS[name].packages]
