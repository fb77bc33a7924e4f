"""The text of the tracking note: the steps of a run in people's words, what it does now, and how it ended."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import SessionEnd
from gitlab_mcp.render.markdown import code_span
from gitlab_mcp.render.progress import STEPS, Progress, dollars, elapsed
from tests.support.claude_stream import (
    FOLDER,
    JOB_URL,
    RECORDED,
    Line,
    call,
    called,
    denied,
    edit,
    ended,
    gitlab,
    read,
    retried,
    returned,
    said,
    start,
    stream,
    watch,
)

URL = "https://gitlab.example.com/x"
COMMIT = {"branch": "7-empty-config", "paths": ["src/**"]}
COMMITTED = (
    "Committed 9f3c2ab to 7-empty-config (new branch from main): 1 added. Pipelines start as for any push.\n" + URL
)
OPENED = f"{COMMITTED}\nOpened !12 (7-empty-config -> main): {URL}"


def progress(*lines: Any) -> Progress:
    """The progress after these lines of a stream."""
    made = Progress(JOB_URL)
    for event in read(stream(start(), *lines)):
        made.take(event)
    return made


def rows(*lines: Any) -> list[str]:
    """The check boxes of the note after these lines."""
    return [row for row in progress(*lines).working().split("\n") if row.startswith("- ")]


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        pytest.param(gitlab("get_issue", {"iid": "#7"}, "# #7 Crash (open)\nby @a"), "read #7", id="issue"),
        pytest.param(gitlab("get_merge_request", {}, "# !12 Fix (open)"), "read !12", id="merge request"),
        pytest.param(gitlab("get_merge_request_diff", {}, "# !12 at 1a2b: 2"), "read the changes of !12", id="diff"),
        pytest.param(gitlab("get_pipeline", {}, "# Pipeline 40 of main (failed)"), "read pipeline 40", id="pipeline"),
        pytest.param(
            gitlab("get_job_log", {}, "# Log of job 9 unit (failed)"), "read the log of job 9", id="job's log"
        ),
        pytest.param(gitlab("search_code", {}, 'Code with "x"'), "", id="another answer than expected"),
        pytest.param(gitlab("search_code", {}, '# Code with "x": 1 line'), "searched the code", id="search"),
        pytest.param(gitlab("create_branch", {}, "Created branch a/b (1a2b) from main."), "created `a/b`", id="branch"),
        pytest.param(gitlab("delete_branch", {}, "Deleted branch a.b.\nIt was at 1"), "deleted `a.b`", id="deleted"),
        pytest.param(gitlab("commit_files", COMMIT, COMMITTED), "committed to `7-empty-config`", id="commit"),
        pytest.param(
            gitlab("commit_files", COMMIT, "Committed 9f3c2ab to b: 1 changed."), "committed to `b`", id="later commit"
        ),
        pytest.param(
            gitlab("create_merge_request", {}, f"Opened draft !12 (b -> main): {URL}"), "opened !12", id="draft opened"
        ),
        pytest.param(
            gitlab("create_merge_request", {}, f"Already open, unchanged: !12 (b -> main): {URL}"),
            "found !12 open",
            id="open before",
        ),
        pytest.param(
            gitlab("update_merge_request", {}, f"Updated !12 (b -> main): {URL}"), "updated !12", id="updated"
        ),
        pytest.param(
            gitlab("review_merge_request", {}, f"Reviewed !12 at 1a2b: 3 comments, approved.\n{URL}"),
            "reviewed !12: 3 comments, approved",
            id="review",
        ),
        pytest.param(gitlab("create_issue", {}, f"Created #8: {URL}"), "created #8", id="new issue"),
        pytest.param(gitlab("update_issue", {}, f"Updated #8: {URL}"), "updated #8", id="issue changed"),
        pytest.param(gitlab("create_note", {}, f"Commented on #7 (internal): n1\n{URL}"), "commented on #7", id="note"),
        pytest.param(gitlab("create_note", {}, f"Replied on !7: n1\n{URL}"), "replied on !7", id="reply"),
        pytest.param(gitlab("merge_merge_request", {}, "Merged !12 into main as 1."), "merged !12", id="merged"),
        pytest.param(gitlab("retry_job", {}, "Retried job 7 as 8 (unit, pending)"), "retried job 7", id="job"),
        pytest.param(
            gitlab("commit_files", COMMIT, "commit_files failed: no.", failed=True),
            "committing to `7-empty-config`: failed",
            id="failed write",
        ),
        pytest.param(gitlab("get_issue", {}, "get_issue failed: no.", failed=True), "", id="failed read"),
        pytest.param(gitlab("get_job_context", {}, "# This run is about issue #7"), "", id="context"),
        pytest.param(gitlab("create_note", {}, f"Updated\n> Commented on #9\n{URL}"), "", id="quoted words"),
        pytest.param(gitlab("get_issue", {}, "> x\n# #9 Not the heading"), "", id="a heading further below"),
        pytest.param(call("Bash", {"command": "npm test"}), "ran `npm test`", id="command"),
        pytest.param(call("Bash", {"command": "npm test"}, failed=True), "ran `npm test`: failed", id="failed command"),
        pytest.param(call("Bash", {"command": "cd a\nls"}), "ran `cd a …`", id="command of two lines"),
        pytest.param(call("Bash", {"command": "echo `a`"}), "ran `` echo `a` ``", id="command with backticks"),
        pytest.param(
            call("Bash", {"command": "npm start", "run_in_background": True}),
            "started `npm start` in the background",
            id="background",
        ),
        pytest.param(edit("src/app.py"), "changed `src/app.py`", id="edit"),
        pytest.param([*edit("a.py"), *edit("b.py"), *edit("a.py")], "changed 2 files", id="edits"),
        pytest.param(call("Write", {"file_path": "/etc/x", "content": "a"}), "changed `/etc/x`", id="file elsewhere"),
        pytest.param(call("Edit", {"file_path": "a"}, failed=True), "", id="failed edit"),
        pytest.param(call("Read", {"file_path": f"{FOLDER}/docs/../a.py"}), "read `a.py`", id="file"),
        pytest.param(
            [*call("Read", {"file_path": "a"}), *call("Read", {"file_path": "b"})], "read 2 files", id="files"
        ),
        pytest.param(call("Grep", {"pattern": "x"}), "searched the files", id="grep"),
        pytest.param(call("TodoWrite", {"todos": []}), "", id="task list"),
        pytest.param(call("BashOutput", {}), "", id="output"),
        pytest.param(call("Agent", {"prompt": "x"}), "started a subagent", id="subagent"),
        pytest.param(call("mcp__jira__get", {}), "used `mcp__jira__get`", id="another server"),
        pytest.param([denied("WebFetch")], "was not allowed to use `WebFetch`", id="refused"),
        pytest.param(
            [called("WebFetch", {}), denied("WebFetch"), returned("No.", failed=True)],
            "was not allowed to use `WebFetch`",
            id="refused call",
        ),
        pytest.param([returned("x", "c9")], "", id="result of no call"),
        pytest.param(call("Bash", {"command": 7}), "ran a command", id="command that is a number"),
    ],
)
def test_a_step_is_said_in_peoples_words(lines: list[Line], step: str) -> None:
    assert rows(lines) == ([f"- [x] {step}"] if step else [])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param(called("mcp__gitlab__get_issue", {"iid": 7}), "reading issue #7", id="issue"),
        pytest.param(called("mcp__gitlab__get_issue", {"iid": "x\n/close"}), "reading issue", id="odd iid"),
        pytest.param(called("mcp__gitlab__commit_files", COMMIT), "committing to `7-empty-config`", id="commit"),
        pytest.param(called("mcp__gitlab__commit_files", {}), "committing", id="commit without a branch"),
        pytest.param(called("Bash", {"command": "npm test"}), "running `npm test`", id="command"),
        pytest.param(called("Edit", {"file_path": f"{FOLDER}/a.py"}), "editing `a.py`", id="edit"),
        pytest.param(called("NotebookEdit", {"notebook_path": "a.ipynb"}), "editing `a.ipynb`", id="notebook"),
        pytest.param(called("WebFetch", {}), "using `WebFetch`", id="other tool"),
        pytest.param(retried(529, 3), "waiting for the model's API (status 529), attempt 3", id="busy model"),
        pytest.param(retried(None), "waiting for the model's API (no response), attempt 1", id="silent model"),
    ],
)
def test_the_last_box_is_open_and_says_what_is_being_done(line: Line, text: str) -> None:
    assert rows(line) == [f"- [ ] {text}"]


def test_the_note_says_no_longer_that_the_model_is_waited_for_once_it_answers() -> None:
    assert rows(retried(529), said("Here I am.")) == []


def test_what_is_done_again_is_no_new_step_and_a_commit_ends_a_group_of_changes() -> None:
    issue, test = gitlab("get_issue", {}, "# #7 A (open)"), call("Bash", {"command": "npm test"})
    lines = [issue, edit("a"), test, test, issue, edit("b"), gitlab("commit_files", COMMIT, OPENED), edit("c"), test]
    steps = ["read #7", "changed 2 files", "ran `npm test`", "committed to `7-empty-config`", "opened !12"]
    assert rows(*lines) == [f"- [x] {step}" for step in [*steps, "changed `c`", "ran `npm test`"]]


def test_of_many_steps_the_first_the_last_and_the_writes_stay() -> None:
    commands = [call("Bash", {"command": f"echo {number}"}) for number in range(500)]
    shown = rows(commands[0], gitlab("commit_files", COMMIT, OPENED), *commands[1:])
    assert len(shown) == STEPS + 1
    assert shown[:4] == [
        f"- [x] {step}" for step in ("ran `echo 0`", "committed to `7-empty-config`", "opened !12", "ran `echo 1`")
    ]
    assert "- [x] 477 more" in shown
    assert shown[-1] == "- [x] ran `echo 499`"


def test_the_note_changes_only_where_its_text_does() -> None:
    made = Progress()
    events = read(
        stream(start(), called("Bash", {"command": "ls"}), called("TodoWrite", {}, "c2"), returned("a"), ended())
    )
    assert [made.take(event) for event in events] == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("url", "shown"),
    [(JOB_URL, f"Working on it · [job](<{JOB_URL}>)"), ("", "Working on it"), ("https://a/>\n/close", "Working on it")],
    ids=["job", "no job", "odd URL"],
)
def test_at_first_the_note_links_to_the_job(url: str, shown: str) -> None:
    assert Progress(url).working() == shown


def test_a_recorded_run_ends_in_a_line_with_all_that_counts_and_the_answer() -> None:
    watched = watch(RECORDED, tick=0)
    line, *_, question = watched.note.split("\n")
    assert line == f"Done in 10s · !2 · `7-empty-config` · [job](<{JOB_URL}>) · 10 turns · less than $0.01"
    assert question == "Should an empty file rather be an error? I asked in the issue."
    assert "- [x] committed to `7-empty-config`\n- [x] opened !2\n- [x] commented on #7" in watched.note
    assert watched.states[0] == f"Working on it · [job](<{JOB_URL}>)"
    assert sum("- [ ] committing to `7-empty-config`" in state for state in watched.states) == 1
    assert "- [ ]" not in watched.states[-1]


def test_the_end_of_a_whole_run_says_time_merge_request_turns_and_cost() -> None:
    data = stream(start(), gitlab("commit_files", COMMIT, OPENED), ended("Fixed: **see** !12."))
    assert watch(data, tick=84).note == (
        f"Done in 5m 36s · !12 · `7-empty-config` · [job](<{JOB_URL}>) · 14 turns · $0.31\n\n"
        "<details><summary>2 steps</summary>\n\n- [x] committed to `7-empty-config`\n- [x] opened !12\n\n</details>\n\n"
        "Fixed: **see** !12."
    )


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.DONE], ids=str)
def test_a_failure_says_why_what_was_not_committed_and_how_to_try_again(ending: Ending) -> None:
    made = progress(edit("src/a.py"), edit("b.py"))
    note = made.ended(ending, 183, None, "529 <!-- x --> /close")
    assert note.split("\n\n")[:4] == [
        f"{ending.heading} 3m 3s · [job](<{JOB_URL}>)",
        f"{ending.reason} {ending.remedy}".strip(),
        "> 529 <!-- x --> /close",
        "2 files edited, not committed: `src/a.py`, `b.py`.",
    ]


def test_an_error_of_claude_code_is_a_reason_and_no_answer() -> None:
    end = SessionEnd("success", True, "Invalid API key", "api_error", 401)
    head, reason, detail = Progress().ended(Ending.SIGN_IN_FAILED, 3, end).split("\n\n")
    assert (head, detail) == ("Failed after 3s", "> Invalid API key")
    assert reason.startswith("The model's API did not accept the credential")


@pytest.mark.parametrize(
    ("branch", "merge_request"), [("fix-typo", 12), ("other", 0)], ids=["its branch", "another branch"]
)
def test_a_commit_to_the_branch_of_a_merge_request_that_was_read_belongs_to_it(branch: str, merge_request: int) -> None:
    heading = "# !12 · a -> b · (open)\nby @a 2026-11-20 · fix-typo -> main · head: 1a2b · 1 file changed\n> x -> y"
    made = progress(gitlab("get_merge_request", {}, heading))
    assert (made.branch, made.merge_request) == ("", 0)
    for event in read(stream(gitlab("commit_files", COMMIT, f"Committed 9f3c2ab to {branch}: 1 changed."))):
        made.take(event)
    assert (made.branch, made.merge_request) == (branch, merge_request)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        pytest.param([edit("src/a.py"), gitlab("commit_files", COMMIT, COMMITTED)], [], id="committed by a glob"),
        pytest.param([edit("b.py"), gitlab("commit_files", COMMIT, COMMITTED)], ["b.py"], id="not in the glob"),
        pytest.param(
            [edit("a"), edit("b"), gitlab("commit_files", {"actions": [{"path": "a"}, 7]}, COMMITTED)],
            ["b"],
            id="by name",
        ),
        pytest.param([edit("src/a"), gitlab("commit_files", COMMIT, "no", failed=True)], ["src/a"], id="failed commit"),
        pytest.param([gitlab("commit_files", COMMIT, COMMITTED), edit("src/a")], ["src/a"], id="edited after it"),
        pytest.param([edit("a"), call("Bash", {"command": "git add . && git commit -m x"})], [], id="git commit"),
        pytest.param([edit("a"), call("Bash", {"command": "git log; commit"})], ["a"], id="another command"),
        pytest.param([edit("a"), call("Bash", {"command": "git commit"}, failed=True)], ["a"], id="failed git commit"),
        pytest.param([call("Edit", {"file_path": "a"}, failed=True)], [], id="failed edit"),
    ],
)
def test_files_that_were_edited_and_not_committed_are_known(lines: list[Any], left: list[str]) -> None:
    assert progress(*lines).uncommitted == left


def test_a_secret_in_the_answer_is_replaced_and_the_answer_sent() -> None:
    note = watch(
        stream(start(), ended("The key is hunter2hunter2, <!-- hidden --> I think.")), ("hunter2hunter2",)
    ).note
    assert note.endswith("The key is [token removed], [hidden HTML removed] I think.")


def test_a_long_answer_is_cut() -> None:
    note = watch(stream(start(), ended("word " * 20_000))).note
    assert len(note.encode()) < 61_000
    assert "100,000 bytes shown; the job's log has more)" in note


@pytest.mark.parametrize(
    "command",
    ["`` ` ```", "@all", "/close", "</details>", "a](b)", "\n/close", "```", "x" * 999, "<!-- a", "[x]", "$`a`$"],
    ids=lambda command: repr(command[:9]),
)
def test_a_command_cannot_leave_its_code_span(command: str) -> None:
    made = progress(call("Bash", {"command": f"a {command}"}), call("mcp__x__y", {}))
    note = made.ended(Ending.DONE, 1, SessionEnd("success", text="Done."))
    tokens = [token for token in MarkdownIt().parse(note) if token.type == "inline"]
    [item] = [token for token in tokens if token.content.startswith("[x] ran")]
    assert [child.type for child in item.children or []] == ["text", "code_inline"]
    assert tokens[-1].content == "Done."


@given(st.text(alphabet="`a \n", max_size=20))
def test_a_code_span_holds_its_text(text: str) -> None:
    line = " ".join(text.split())
    parsed = MarkdownIt().parseInline(f"x {code_span(text)}")[0].children or []
    assert [child.content for child in parsed if child.type == "code_inline"] == ([line] if line else [])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m 0s"), (252, "4m 12s"), (3599, "59m 59s"), (3905, "1h 5m"), (-1, "0s")],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("cost", "text"), [(0, ""), (0.001, "less than $0.01"), (0.314, "$0.31"), (1234.5, "$1,234.50")]
)
def test_a_cost_is_in_dollars(cost: float, text: str) -> None:
    assert dollars(cost) == text
