"""Every tool that reads: one line says what is not shown as it is stored, or there is a reason why none is needed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get, send
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for

TOKEN = "glpat-AbCdEfGhIjKlMnOpQrSt"
MARKDOWN = f"Fix the word.\n<!-- hidden -->\n\nUse {TOKEN} and\u200f this\u200b.\nEnd"
TITLE = f"Use {TOKEN}\u200b here"
CODE = f"word = 1\nkey = '{TOKEN}'\nright = '\u202e'\n"
IN_MARKDOWN = r"\[hidden HTML removed\], \[token removed\], 2 invisible characters left out\."
IN_TITLE = r"\[token removed\], 1 invisible character left out\."
IN_CODE = r"\[token removed\], <U\+202E>\."

ROW = "its rows are shortened on purpose: another tool reads the whole text"
NAMES = "it shows names and states, which nobody writes back"
KEPT_FILE = "it shows a file that GitLab keeps as it is: it can be replaced, but not edited"
OUTPUT = "it shows the output of programs, which is stored nowhere to be edited"
REASONS = {
    "list_issues": ROW,
    "list_merge_requests": ROW,
    "list_commits": ROW,
    "list_projects": ROW,
    "list_my_work": ROW,
    "list_labels": ROW,
    "list_milestones": ROW,
    "list_tags": ROW,
    "list_branches": NAMES,
    "list_files": NAMES,
    "list_wiki_pages": NAMES,
    "search_members": NAMES,
    "list_job_artifacts": NAMES,
    "get_attachment": KEPT_FILE,
    "get_job_artifact": KEPT_FILE,
    "get_pipeline": NAMES,
    "list_pipelines": NAMES,
    "lint_ci_config": OUTPUT,
    "get_job_log": OUTPUT,
    "get_test_report": OUTPUT,
}


@dataclass
class Case:
    """How a test stores a text, what reads it, and what the line says of the `stored` one."""

    tool: str
    arguments: dict[str, Any]
    store: Callable[[Sandbox, str], Any]
    stored: str
    told: str


def project_of(sandbox: Sandbox) -> Any:
    return sandbox.world.projects[sandbox.project_id]


def in_a_file(sandbox: Sandbox, text: str) -> None:
    commit(sandbox, "marks", "main", {"action": "create", "file_path": "marks.py", "content": text})


def in_a_merge_request(sandbox: Sandbox, text: str) -> None:
    action = {"action": "create", "file_path": "marks.py", "content": text}
    commit(sandbox, "feature/verbose-flag", "", action)


def in_a_message(sandbox: Sandbox, text: str) -> None:
    actions = [{"action": "create", "file_path": "x.txt", "content": "x"}]
    body: dict[str, Any] = {
        "branch": "marks",
        "start_branch": "main",
        "commit_message": f"Title\n\n{text}",
        "actions": actions,
    }
    send(sandbox, "POST", "/repository/commits", **body)


def put(path: str, field: str) -> Callable[[Sandbox, str], Any]:
    return lambda sandbox, text: send(sandbox, "PUT", path, "maintainer", **{field: text})


ISSUE, MERGE_REQUEST = SEED.crash_issue, SEED.merge_request
NOTE = f"{ISSUE.path}/notes/{SEED.crash_notes.first}"
CASES = {
    "issue": Case("get_issue", {"iid": 7}, put(ISSUE.path, "description"), MARKDOWN, IN_MARKDOWN),
    "issue's title": Case("get_issue", {"iid": 7}, put(ISSUE.path, "title"), TITLE, IN_TITLE),
    "issue's comment": Case("get_issue", {"iid": 7}, put(NOTE, "body"), MARKDOWN, IN_MARKDOWN),
    "merge request": Case(
        "get_merge_request", {"iid": 1}, put(MERGE_REQUEST.path, "description"), MARKDOWN, IN_MARKDOWN
    ),
    "merge request's title": Case("get_merge_request", {"iid": 1}, put(MERGE_REQUEST.path, "title"), TITLE, IN_TITLE),
    "thread": Case("list_discussions", {"iid": "#7"}, put(NOTE, "body"), MARKDOWN, IN_MARKDOWN),
    "project": Case("get_project", {}, put("", "description"), MARKDOWN, IN_MARKDOWN),
    "wiki page": Case(
        "get_wiki_page",
        {"slug": "home"},
        lambda sandbox, text: project_of(sandbox).wiki.update(home=text),
        MARKDOWN,
        IN_MARKDOWN,
    ),
    "release": Case(
        "list_releases",
        {},
        lambda sandbox, text: setattr(project_of(sandbox).releases[0], "description", text),
        MARKDOWN,
        IN_MARKDOWN,
    ),
    "file": Case("get_file", {"path": "marks.py", "ref": "marks"}, in_a_file, CODE, IN_CODE),
    "code": Case("search_code", {"search": "= '", "ref": "marks"}, in_a_file, CODE, IN_CODE),
    "comparison": Case("compare_refs", {"base": "main", "head": "marks"}, in_a_file, CODE, IN_CODE),
    "diff": Case("get_merge_request_diff", {"iid": 1}, in_a_merge_request, CODE, IN_CODE),
    "commit": Case("get_commit", {"ref": "marks"}, in_a_message, f"Text\n{TITLE}", IN_TITLE),
}
LINE = r"(?m)^Not shown as stored: .*$"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_reading_says_in_one_line_what_is_not_shown_as_stored(fresh_sandbox: Sandbox, case: Case) -> None:
    case.store(fresh_sandbox, case.stored)
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call(case.tool, **case.arguments)
    assert TOKEN not in answer
    [line] = re.findall(LINE, answer)
    assert re.match(f"Not shown as stored: {case.told}", line)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_text_that_is_shown_as_stored_has_no_such_line(fresh_sandbox: Sandbox, case: Case) -> None:
    case.store(fresh_sandbox, "= 'A word of [token removed] and <U+202E>.'")
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call(case.tool, **case.arguments)
    assert "[token removed]" in answer
    assert not re.findall(LINE, answer)


@pytest.mark.parametrize("field", ["input", "description", "comments", "unread", "title"])
@pytest.mark.parametrize("trusted_only", [False, True], ids=["all", "trusted only"])
async def test_the_texts_that_a_run_is_about_have_the_line(sandbox: Sandbox, field: str, trusted_only: bool) -> None:
    stored, told = (TITLE, IN_TITLE) if field == "title" else (MARKDOWN, IN_MARKDOWN)
    text: dict[str, Any] = {field: stored}
    job = JobContext(noun="issue", iid=7, **text)
    async with connect(settings_for(sandbox, job=job, trusted_only=trusted_only)) as agent:
        lines = re.findall(LINE, await agent.call("get_job_context"))
    assert len(lines) == (not trusted_only)
    assert all(re.match(f"Not shown as stored: {told}", line) for line in lines)


async def test_the_code_of_a_thread_has_the_line(fresh_sandbox: Sandbox) -> None:
    in_a_merge_request(fresh_sandbox, CODE)
    refs = get(fresh_sandbox, MERGE_REQUEST.path)["diff_refs"]
    position = {**refs, "position_type": "text", "new_path": "marks.py", "old_path": "marks.py", "new_line": 2}
    send(fresh_sandbox, "POST", f"{MERGE_REQUEST.path}/discussions", body="Why?", position=position)
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call("list_discussions", iid="!1")
    assert len(re.findall(LINE, answer)) == 1


def test_every_tool_that_reads_is_here_or_has_a_reason() -> None:
    here = {case.tool for case in CASES.values()} | {"get_job_context"}
    assert sorted([*here, *REASONS]) == sorted(str(tool.name) for tool in TOOLS if not tool.writes)
