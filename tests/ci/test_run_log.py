"""The log of a run: what a person who watches the job reads, in GitLab's sections, and nothing else."""

import json
import re
from typing import Any

import pytest

from gitlab_mcp.ci.run.log import LONGEST_LOG, RunLog
from gitlab_mcp.ci.run.result import RunResult
from gitlab_mcp.claude_code.ending import Ending
from tests.support.claude_stream import (
    BEGUN,
    FOLDER,
    RECORDED,
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
from tests.support.paths import REPOSITORY

EXAMPLES = REPOSITORY / "tests" / "golden"
HEAD = "Claude Code 2.1.330 · opus · MCP servers: gitlab connected\n"


def log_of(*lines: Any, **options: Any) -> str:
    """The log of these lines after its first line and without its table; sections are off unless asked for."""
    written = watch(stream(start(), *lines), **{"sections": False, **options}).log
    assert written.startswith(HEAD)
    return written.removeprefix(HEAD).partition("\nResult ")[0]


def test_a_recorded_run_reads_as_its_examples() -> None:
    watched = watch(RECORDED, tick=0, sections=False)
    assert watched.log == (EXAMPLES / "run_log.txt").read_text()
    busy = next(state for state in watched.states if "committing" in state)
    assert f"{busy}\n\n---\n\n{watched.note}\n" == (EXAMPLES / "run_note.md").read_text()


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        pytest.param([said("First.\n\nThen.")], "● First.\n\n  Then.\n", id="text"),
        pytest.param([said("Hm.", parent_tool_use_id="c9")], "    ● Hm.\n", id="text of a subagent"),
        pytest.param(call("Bash", {"command": "ls"}, "a\nb"), "✓ Bash ls · 1.0s\n    a\n    b\n", id="command"),
        pytest.param(
            call("Bash", {"command": "x"}, "Exit code 1\nno", failed=True),
            "✗ Bash x · failed · 1.0s\n    Exit code 1\n    no\n",
            id="failed command",
        ),
        pytest.param(
            gitlab("get_issue", {"iid": 7, "detail": "full"}, "# #7 A (open)"),
            "✓ gitlab get_issue iid: 7, detail: full · 1.0s\n    # #7 A (open)\n",
            id="tool of this server",
        ),
        pytest.param(
            edit("a.py", "x = 1\ny = 2\nz = 3", "x = 1\ny = 4\nz = 3"),
            "✓ Edit a.py · +1 -1 · 1.0s\n      x = 1\n    - y = 2\n    + y = 4\n      z = 3\n",
            id="edit",
        ),
        pytest.param(
            call("Write", {"file_path": f"{FOLDER}/new.py", "content": "a\nb\n"}, "File created"),
            "✓ Write new.py · +2 -0 · 1.0s\n    + a\n    + b\n",
            id="new file",
        ),
        pytest.param(
            call("Write", {"file_path": "a", "content": "a\nc\n"}, "ok", details={"originalFile": "a\nb\n"}),
            "✓ Write a · +1 -1 · 1.0s\n      a\n    - b\n    + c\n",
            id="file written anew",
        ),
        pytest.param(
            call("Edit", {"file_path": "a", "old_string": "x", "new_string": "y"}, "String not found", failed=True),
            "✗ Edit a · failed · 1.0s\n    String not found\n",
            id="failed edit",
        ),
        pytest.param(
            [called("Bash", {"command": "rm x"}), denied("Bash", "Why."), returned("No.")],
            "✗ Bash rm x · refused: Why.\n",
            id="refused",
        ),
        pytest.param([denied("Bash", "Why.")], "✗ Bash · refused: Why.\n", id="refused without a call"),
        pytest.param(
            [retried(529, 2)],
            "… the model's API: 529 (overloaded_error), attempt 2 of 10, again in 2.5s\n",
            id="retry",
        ),
        pytest.param(
            [retried(None, error="")],
            "… the model's API: no response, attempt 1 of 10, again in 2.5s\n",
            id="no response",
        ),
        pytest.param([ended("Invalid API key", is_error=True)], "✗ Invalid API key\n", id="error at the end"),
        pytest.param([ended("The answer, which was shown as a text.")], "", id="end"),
        pytest.param([called("Bash", {"command": "sleep 9"})], "- Bash sleep 9: no result · 0s\n", id="no result"),
        pytest.param([returned("x", "c9")], "", id="result of no call"),
        pytest.param(
            call("mcp__x__y", {"a": "b " * 99, "list": [1], "c": 1.5}),
            f"✓ x y a: {('b ' * 30)[:59]}…, c: 1.5 · 1.0s\n    ok\n",
            id="long arguments",
        ),
    ],
)
def test_an_event_is_shown_in_a_line_or_a_few(lines: list[Any], shown: str) -> None:
    assert log_of(*lines) == shown


def test_parallel_calls_are_shown_each_with_its_own_time() -> None:
    lines = [
        called("Read", {"file_path": "a"}, "1"),
        called("Read", {"file_path": "b"}, "2"),
        returned("", "2"),
        returned("", "1"),
    ]
    assert log_of(*lines) == "✓ Read b · 1.0s\n✓ Read a · 3.0s\n"


def test_a_result_is_in_a_collapsed_section_and_what_matters_in_an_open_one() -> None:
    failed = call("Bash", {"command": "b"}, "no", failed=True)
    shown = log_of(call("Bash", {"command": "a"}, "yes"), failed, edit("c"), sections=True)
    assert shown.replace("\x1b[0K", "<K>").replace("\r", "<CR>") == (
        f"<K>section_start:{BEGUN + 2:.0f}:claude_1[collapsed=true]<CR><K>✓ Bash a · 1.0s\n    yes\n"
        f"<K>section_end:{BEGUN + 3:.0f}:claude_1<CR><K>\n"
        f"<K>section_start:{BEGUN + 4:.0f}:claude_2<CR><K>✗ Bash b · failed · 1.0s\n    no\n"
        f"<K>section_end:{BEGUN + 5:.0f}:claude_2<CR><K>\n"
        f"<K>section_start:{BEGUN + 6:.0f}:claude_3<CR><K>✓ Edit c · +1 -1 · 1.0s\n    - a\n    + b\n"
        f"<K>section_end:{BEGUN + 7:.0f}:claude_3<CR><K>\n"
    )


def test_every_section_of_a_recorded_run_ends_before_the_next_begins() -> None:
    markers = re.findall(r"section_(start|end):(\d+):(claude_\d+)", watch(RECORDED, tick=0).log)
    assert [kind for kind, *_ in markers] == ["start", "end"] * (len(markers) // 2)
    for (_, begun, first), (_, done, last) in zip(markers[::2], markers[1::2], strict=True):
        assert (first, int(begun) <= int(done)) == (last, True)


def test_colors_mark_outcomes_and_changes() -> None:
    shown = log_of(call("Bash", {}, "", failed=True), edit("a"), retried(500), colors=True)
    assert "\x1b[31m✗\x1b[0m Bash" in shown
    assert "\x1b[32m✓\x1b[0m Edit" in shown
    assert "    \x1b[31m- a\x1b[0m\n    \x1b[32m+ b\x1b[0m\n" in shown
    assert "\x1b[33m…\x1b[0m the model's API: 500" in shown


def test_the_task_list_is_shown_where_it_changes() -> None:
    def created(number: int, subject: str) -> list[Any]:
        given = {"subject": subject, "description": "d"}
        return call("TaskCreate", given, f"Task #{number}", details={"task": {"id": str(number)}})

    done = call("TaskUpdate", {"taskId": "1", "status": "completed"})
    begun = call("TaskUpdate", {"taskId": 2, "status": "in_progress", "subject": "Fix it well"})
    gone = call("TaskUpdate", {"taskId": "2", "status": "deleted"})
    lines = log_of(created(1, "Read"), created(2, "Fix"), done, begun, done, gone, call("TaskUpdate", {"taskId": "9"}))
    boxes = [line for line in lines.split("\n") if line.startswith("  [")]
    assert boxes == [
        *("  [ ] Read", "  [ ] Read", "  [ ] Fix", "  [x] Read", "  [ ] Fix"),
        *("  [x] Read", "  [>] Fix it well", "  [x] Read"),
    ]


def test_the_older_task_list_is_shown_too() -> None:
    todos = [{"content": "Read", "status": "completed"}, {"content": "Fix", "status": "in_progress"}, 7]
    assert "\n  [x] Read\n  [>] Fix\n" in log_of(call("TodoWrite", {"todos": todos}))
    assert "[x]" not in log_of(call("TodoWrite", {"todos": todos}, failed=True))


def test_a_line_a_minute_says_what_is_waited_for() -> None:
    written: list[str] = []
    log = RunLog(written.append, 0.0, colors=False)
    log.tick(59.9)
    log.tick(60)
    log.tick(61)
    for event in read(stream(called("Bash", {"command": "npm test"}))):
        log.show(event, 100)
    log.tick(119)
    log.tick(125)
    log.say("A warning.", 130)
    log.tick(189)
    assert written == [
        "… 1m 0s: waiting for the model\n",
        "… 2m 5s: still running: Bash npm test (25s)\n",
        "A warning.\n",
    ]


def test_a_long_result_is_shown_by_its_beginning_and_its_end() -> None:
    lines = log_of(call("Bash", {"command": "x"}, "\n".join(map(str, range(500))))).split("\n")
    assert (lines[1], lines[10], lines[12], lines[31]) == ("    0", "    9", "    480", "    499")
    assert lines[11] == "    … 470 more lines …"
    assert len(lines) == 33


def test_a_long_line_is_cut() -> None:
    assert log_of(call("Bash", {"command": "x"}, "y" * 9_000)).split("\n")[1] == f"    {'y' * 399}…"


def test_a_long_log_leaves_out_results_and_keeps_its_end() -> None:
    long = call("Bash", {"command": "x"}, "\n".join(["y" * 400] * 30))
    watched = watch(stream(start(), [line for _ in range(1_000) for line in long], said("a\nb"), ended()))
    assert LONGEST_LOG < len(watched.log) < LONGEST_LOG + 100_000
    assert "✓ Bash x · 1.0s\n● a\n\nResult         done\n" in watched.log


CONFIDENTIAL = "the plan of the merger"


def test_a_confidential_run_shows_names_of_tools_outcomes_and_times_only() -> None:
    words = {"command": CONFIDENTIAL, "file_path": CONFIDENTIAL, "old_string": "a", "new_string": CONFIDENTIAL}
    calls = [call(tool, words, CONFIDENTIAL, failed=failed) for tool in ("Bash", "Edit") for failed in (False, True)]
    invented = call(CONFIDENTIAL, {}, CONFIDENTIAL, failed=True)
    todo = call("TodoWrite", {"todos": [{"content": CONFIDENTIAL}]})
    told = [said(CONFIDENTIAL), denied("WebFetch", CONFIDENTIAL), retried(529, error=CONFIDENTIAL)]
    branch = gitlab("commit_files", {"branch": "merger"}, "Committed 9f3c2ab to merger: 1 changed.")
    end = ended(CONFIDENTIAL, is_error=True, permission_denials=[{"tool_name": CONFIDENTIAL}])
    lines = stream(start(), *told, *calls, invented, todo, branch, called("Read", words, "c2"), end)
    shown = watch(lines, tick=61, confidential=True).log
    assert "merger" not in shown
    assert "✓ Bash · 1m 1s\n" in shown
    assert "✗ Edit · failed · 1m 1s\n" in shown
    assert "✗ an unknown tool · failed · 1m 1s\n" in shown
    assert "- Read: no result · " in shown


RESULT = RunResult(
    ending=Ending.OUT_OF_TURNS,
    seconds=252.04,
    session_id="6067701c-d988",
    turns=14,
    input_tokens=1_740,
    output_tokens=60,
    cost_usd=0.3141592,
    branch="7-empty-config",
    merge_request=12,
    uncommitted=[f"src/{number}.py" for number in range(12)],
    denied=("WebFetch",),
    detail="as the key hunter2hunter2 says",
    secrets=("hunter2hunter2",),
)


def test_the_result_is_json_with_all_that_is_known() -> None:
    assert json.loads(RESULT.json()) == {
        "ending": "out_of_turns",
        "exit_code": 3,
        "reason": "The job reached its maximum number of turns.",
        "detail": "as the key [token removed] says",
        "session_id": "6067701c-d988",
        "turns": 14,
        "duration_seconds": 252.0,
        "input_tokens": 1740,
        "output_tokens": 60,
        "cost_usd": 0.314159,
        "branch": "7-empty-config",
        "merge_request": 12,
        "uncommitted": [f"src/{number}.py" for number in range(12)],
        "denied_tools": ["WebFetch"],
    }


def test_the_dotenv_report_has_the_same_names_whatever_happened() -> None:
    rows = RESULT.dotenv().splitlines()
    assert rows == [
        "CLAUDE_ENDING=out_of_turns",
        "CLAUDE_EXIT_CODE=3",
        "CLAUDE_SESSION_ID=6067701c-d988",
        "CLAUDE_TURNS=14",
        "CLAUDE_DURATION_SECONDS=252",
        "CLAUDE_INPUT_TOKENS=1740",
        "CLAUDE_OUTPUT_TOKENS=60",
        "CLAUDE_COST_USD=0.3142",
        "CLAUDE_BRANCH=7-empty-config",
        "CLAUDE_MERGE_REQUEST=12",
    ]
    empty = RunResult(Ending.KILLED, 0).dotenv().splitlines()
    assert [row.partition("=")[0] for row in empty] == [row.partition("=")[0] for row in rows]


@pytest.mark.parametrize(
    "branch", ["a$CI_JOB_TOKEN", "a\nCLAUDE_ENDING=done", "a`id`", "a;b", "a b", "é", '"a"', "a\u2028b"]
)
def test_a_value_that_a_later_job_could_expand_is_left_empty(branch: str) -> None:
    rows = RunResult(Ending.DONE, 1, branch=branch).dotenv().split("\n")
    assert "CLAUDE_BRANCH=" in rows
    assert len(rows) == 11


def test_the_table_says_how_the_run_ended_and_what_to_do() -> None:
    assert RESULT.table() == [
        "Result         out of turns",
        "Why            The job reached its maximum number of turns.",
        "What to do     To try again, ask for a smaller step, or retry the job with a higher max_turns (--max-turns).",
        "Duration       4m 12s",
        "Turns          14",
        "Tokens         1,740 in, 60 out",
        "Cost           $0.31",
        "Detail         as the key [token removed] says",
        "Branch         7-empty-config",
        "Merge request  !12",
        f"Not committed  12 files: {', '.join(f'src/{number}.py' for number in range(10))}, …",
        "Refused tools  WebFetch",
        "Session        6067701c-d988",
    ]
    assert RunResult(Ending.DONE, 1).table() == ["Result         done", "Duration       1s"]
