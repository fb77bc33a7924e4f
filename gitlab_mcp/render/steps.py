"""What a tool call of Claude Code is in people's words: what is being done while it runs, and what was done after it.

What this server's own tools did is read from the beginnings of their answers, which the other modules of this package
write; people's text stands after them.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from gitlab_mcp.claude_code.events import ToolCall, ToolResult
from gitlab_mcp.claude_code.registration import SERVER_NAME
from gitlab_mcp.render.markdown import code_span

OWN_PREFIX = f"mcp__{SERVER_NAME}__"
SHOWN_CHARACTERS = 80  # of a command or a path
COMMAND_CHARACTERS, PATH_CHARACTERS = 2_000, 500  # that are looked at

Kind = Literal["read", "changed", "ran", "wrote", "refused"]


@dataclass(frozen=True)
class Step:
    """A thing that a run did, as Markdown on one line. `files` are those that it read or changed.

    `branch` and `merge_request`, an iid, are what it made or read on GitLab; "" and 0 for nothing.
    """

    kind: Kind
    text: str
    files: tuple[str, ...] = ()
    branch: str = ""
    merge_request: int = 0


@dataclass(frozen=True)
class OwnTool:
    """A tool of this server: what it is doing, and what it did for each beginning of its answer.

    A template has the groups of its expression; `argument` names the one to show while the tool runs.
    """

    doing: str
    done: Sequence[tuple[str, str]]
    argument: str = ""
    writes: bool = True


_reading = partial(OwnTool, writes=False)
DIGITS = r"\d{1,18}"
SIGNED = rf"(?P<sign>[#!]{DIGITS})"
IDENTITY = rf"(?P<id>{DIGITS})"
BRANCH = r"(?P<branch>\S+?)"
OPENED = (rf"Opened (?:draft )?!(?P<merge_request>{DIGITS}) \({BRANCH} -> ", "opened !{merge_request}")
FOUND = (
    rf"Already open[^!\n]*: (?:draft )?!(?P<merge_request>{DIGITS}) \({BRANCH} -> ",
    "found !{merge_request} open",
)

OWN_TOOLS = {
    "get_issue": _reading("reading issue", [(rf"# {SIGNED} ", "read {sign}")], "iid"),
    "get_merge_request": _reading(
        "reading merge request",
        # Its source branch is in the next line.
        [(rf"# !(?P<merge_request>{DIGITS}) (?:[^\n]*\n[^\n]* · {BRANCH} -> \S)?", "read !{merge_request}")],
        "iid",
    ),
    "get_merge_request_diff": _reading("reading changes", [(rf"# {SIGNED} at ", "read the changes of {sign}")], "iid"),
    "list_discussions": _reading("reading threads", [(rf"# {SIGNED}:", "read the threads of {sign}")], "iid"),
    "get_pipeline": _reading("reading pipeline", [(rf"# Pipeline {IDENTITY} ", "read pipeline {id}")], "pipeline_id"),
    "get_job_log": _reading("reading a job's log", [(rf"# Log of job {IDENTITY} ", "read the log of job {id}")]),
    "get_test_report": _reading(
        "reading a test report", [(rf"# Tests of pipeline {IDENTITY}", "read the tests of pipeline {id}")]
    ),
    "get_commit": _reading("reading a commit", [(r"# Commit (?P<id>[0-9a-f]+) ", "read commit {id}")]),
    "search_code": _reading("searching the code", [("# Code with ", "searched the code")]),
    "create_branch": OwnTool("creating branch", [(rf"Created branch {BRANCH} \(", "created {branch}")], "branch"),
    "delete_branch": OwnTool("deleting branch", [(r"Deleted branch (?P<name>\S+)\.\s", "deleted {name}")], "branch"),
    "commit_files": OwnTool(
        "committing to",
        [(rf"Committed \S+ to {BRANCH}(?: \(new branch from .*?\))?: ", "committed to {branch}"), OPENED, FOUND],
        "branch",
    ),
    "create_merge_request": OwnTool("opening a merge request from", [OPENED, FOUND], "source_branch"),
    "update_merge_request": OwnTool("updating", [(rf"Updated (?:draft )?{SIGNED} ", "updated {sign}")], "iid"),
    "review_merge_request": OwnTool(
        "reviewing", [(rf"Reviewed {SIGNED} at \S+: (?P<comments>[\w ,()]+)\.", "reviewed {sign}: {comments}")], "iid"
    ),
    "merge_merge_request": OwnTool(
        "merging",
        [(rf"Merged {SIGNED} ", "merged {sign}"), (rf"{SIGNED} is set to auto-merge", "set {sign} to auto-merge")],
        "iid",
    ),
    "rebase_merge_request": OwnTool("rebasing", [(rf"Rebased {SIGNED} ", "rebased {sign}")], "iid"),
    "create_issue": OwnTool("creating an issue", [(rf"Created {SIGNED}:", "created {sign}")]),
    "update_issue": OwnTool("updating", [(rf"Updated {SIGNED}:", "updated {sign}")], "iid"),
    "create_note": OwnTool(
        "writing a comment",
        [(rf"Commented on {SIGNED}\b", "commented on {sign}"), (rf"Replied on {SIGNED}\b", "replied on {sign}")],
    ),
    "update_note": OwnTool("editing a comment", [(rf"Updated n\d+ on {SIGNED}", "edited a comment on {sign}")]),
    "resolve_discussion": OwnTool(
        "resolving a thread",
        [
            (rf"Resolved the thread of n\d+ on {SIGNED}", "resolved a thread on {sign}"),
            (rf"Reopened the thread of n\d+ on {SIGNED}", "reopened a thread on {sign}"),
        ],
    ),
    "run_pipeline": OwnTool("starting a pipeline", [(rf"Started pipeline {IDENTITY} ", "started pipeline {id}")]),
    "cancel_pipeline": OwnTool("canceling pipeline", [(rf"Pipeline {IDENTITY} is ", "canceled pipeline {id}")]),
    "retry_job": OwnTool("retrying job", [(rf"Retried job {IDENTITY} ", "retried job {id}")], "job_id"),
}

# The tools of Claude Code that name a file by `file_path` or `notebook_path`.
EDITING = ("Edit", "Write", "MultiEdit", "NotebookEdit")
READING = ("Read", "NotebookRead")
SEARCHING = ("Glob", "Grep", "LS")
SUBAGENTS = ("Agent", "Task")
# What a run does for itself.
SILENT = ("BashOutput", "Monitor", "ReportFindings", "SendMessage", "Skill", "TodoWrite", "ToolSearch")
SILENT_KINDS = ("Cron", "Kill", "List", "Task")  # the beginnings of names, such as TaskCreate


def doing(call: ToolCall, folder: str = "") -> str:
    """What is being done while a call runs, such as "running `npm test`"; "" for what is not worth saying.

    `folder` is the working directory of the run.
    """
    if (own := _own(call)) is not None:
        argument = _shown_argument(call, own.argument)
        return f"{own.doing} {argument}" if argument else own.doing.removesuffix(" to").removesuffix(" from")
    if call.tool == "Bash":
        return f"running {code_span(command(call), SHOWN_CHARACTERS) or 'a command'}"
    if call.tool in EDITING + READING:
        return f"{'editing' if call.tool in EDITING else 'reading'} {code_span(path(call, folder), SHOWN_CHARACTERS)}"
    if call.tool in SEARCHING:
        return "searching the files"
    if call.tool in SUBAGENTS:
        return "working with a subagent"
    return "" if _is_silent(call.tool) else f"using {code_span(call.tool, SHOWN_CHARACTERS)}"


def steps(call: ToolCall, result: ToolResult, folder: str = "") -> list[Step]:
    """What was done, by a call and its result; nothing for what is not worth saying."""
    if (own := _own(call)) is not None:
        return _own_steps(call, own, result, folder)
    if call.tool == "Bash":
        return [_ran(call, result)]
    if call.tool.startswith(OWN_PREFIX) or _is_silent(call.tool):
        return []
    if result.is_error:
        return []
    if call.tool in EDITING + READING:
        kind: Kind = "changed" if call.tool in EDITING else "read"
        return [Step(kind, "", (path(call, folder),))]
    if call.tool in SEARCHING:
        return [Step("read", "searched the files")]
    if call.tool in SUBAGENTS:
        return [Step("ran", "started a subagent")]
    return [Step("ran", f"used {code_span(call.tool, SHOWN_CHARACTERS)}")]


def refused(tool: str) -> Step:
    """The step for a tool that Claude Code was not allowed to use."""
    return Step("refused", f"was not allowed to use {code_span(tool, SHOWN_CHARACTERS)}")


def command(call: ToolCall) -> str:
    """The first line of a shell command, with "…" where there are more."""
    first, _, more = text_of(call, "command")[:COMMAND_CHARACTERS].strip().partition("\n")
    return f"{first} …" if more else first


def path(call: ToolCall, folder: str) -> str:
    """The file that a call names, relative to `folder` where it is in it."""
    name = (text_of(call, "file_path") or text_of(call, "notebook_path"))[:PATH_CHARACTERS]
    whole = posixpath.normpath(posixpath.join(folder, name)) if name else ""
    return whole.removeprefix(f"{folder.rstrip('/')}/") if folder else whole


def text_of(call: ToolCall, key: str) -> str:
    """A text in the input of a call; "" for anything else."""
    value = call.input.get(key)
    return value if isinstance(value, str) else ""


def _is_silent(tool: str) -> bool:
    return tool in SILENT or (tool.startswith(SILENT_KINDS) and tool not in SUBAGENTS)


def _own(call: ToolCall) -> OwnTool | None:
    name = call.tool.removeprefix(OWN_PREFIX)
    return OWN_TOOLS.get(name) if name != call.tool else None


def _shown_argument(call: ToolCall, key: str) -> str:
    value = call.input.get(key)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if "branch" in key:
        return code_span(text, SHOWN_CHARACTERS) if text else ""
    sign = "#" if call.tool.endswith("issue") else "!" if "merge_request" in call.tool else ""
    return f"{sign if text.isdigit() else ''}{text}" if re.fullmatch(f"[#!]?{DIGITS}", text) else ""


def _own_steps(call: ToolCall, own: OwnTool, result: ToolResult, folder: str) -> list[Step]:
    kind: Kind = "wrote" if own.writes else "read"
    if result.is_error:
        return [Step(kind, f"{doing(call, folder)}: failed")] if own.writes else []
    found = []
    # The answer of a write is this server's own text throughout, that of a reading tool only at its beginning.
    for pattern, template in own.done:
        start = "^" if own.writes else r"\A"
        if match := re.search(start + pattern, result.text, re.MULTILINE):
            groups = match.groupdict("")
            shown = {
                name: code_span(text, 255) if name in ("branch", "name") else text for name, text in groups.items()
            }
            number = int(groups.get("merge_request") or 0)
            found.append(Step(kind, template.format(**shown), (), groups.get("branch", ""), number))
    return found


def _ran(call: ToolCall, result: ToolResult) -> Step:
    shown = code_span(command(call), SHOWN_CHARACTERS) or "a command"
    if call.input.get("run_in_background") is True:
        return Step("ran", f"started {shown} in the background")
    return Step("ran", f"ran {shown}{': failed' if result.is_error else ''}")
