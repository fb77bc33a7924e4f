"""The command scripts/bench: its figures, its page, the stub that it measures against, and the end of its processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

import pytest

from benchmarks import answers, page
from benchmarks.baseline import BARE, PYTHON_GITLAB
from benchmarks.candidates import DIFF_TASK, FILE_TASK, ISSUE_TASK, NOTE_TASK, OURS, TASKS
from benchmarks.process import ServerError, ServerProcess
from benchmarks.start import BUSY, BYTES, DEFINITIONS, TOOLS
from benchmarks.stub import Request, Stub
from benchmarks.tables import Tables
from benchmarks.targets import Target
from benchmarks.tasks import ABOVE_BARE, ABOVE_PYTHON_GITLAB, REQUESTS, SIZE, TIME
from tests.support.paths import REPOSITORY

COMMAND = (sys.executable, "-m", "benchmarks", "--runs", "1")
SECONDS = 300  # that it does not hang, on a slow machine too
# A server that answers initialize with an error, then ends.
REFUSING = """
import json, sys
request = json.loads(sys.stdin.readline())
error = {"code": -32600, "message": "Not today."}
print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}), flush=True)
"""


def bench(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environ}
    return subprocess.run(
        [*COMMAND, *options],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )


def test_a_short_run_says_what_each_task_costs(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = bench("--part", "definitions", "--part", "tasks", "--json", str(file))
    content = json.loads(file.read_text())
    assert set(content["about"]) >= {"date", "commit", "machine", "Python", "mcp", "python-gitlab"}
    assert content["runs"] == 1
    tables = content["tables"]
    assert list(tables) == [DEFINITIONS, SIZE, REQUESTS, TIME, ABOVE_BARE, ABOVE_PYTHON_GITLAB]
    assert set(tables[DEFINITIONS]) == {OURS}
    assert tables[DEFINITIONS][OURS][TOOLS] == 26
    assert 15_000 < tables[DEFINITIONS][OURS][BYTES] < 20_000
    assert set(tables[TIME]) == {OURS, BARE, PYTHON_GITLAB}
    assert all(set(cells) == set(TASKS) and all(cells.values()) for cells in tables[TIME].values())
    assert set(tables[ABOVE_BARE]) == set(tables[ABOVE_PYTHON_GITLAB]) == {OURS}
    sent = tables[REQUESTS][OURS]
    assert tables[REQUESTS][BARE] == sent
    assert {task: sent[task] for task in (ISSUE_TASK, FILE_TASK, NOTE_TASK, DIFF_TASK)} == {
        ISSUE_TASK: 4,
        FILE_TASK: 1,
        NOTE_TASK: 1,
        DIFF_TASK: 2,
    }
    assert tables[SIZE][OURS][ISSUE_TASK] < tables[SIZE][BARE][ISSUE_TASK]
    assert [target["met"] for target in content["targets"]] == [
        target["measured"] <= target["bound"] for target in content["targets"]
    ]
    assert f"**{TIME}**" in done.stdout
    assert f"{TIME}: 1 of 1" in done.stderr


def test_peers_that_cannot_be_installed_are_left_out_with_a_line(tmp_path: Path) -> None:
    offline = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "npm_config_offline": "true",
        "npm_config_cache": str(tmp_path),
    }
    done = bench("--peers", "--part", "definitions", XDG_CACHE_HOME=str(tmp_path), **offline)
    left_out = [line.split()[0] for line in done.stderr.splitlines() if "is left out, because it could not be" in line]
    assert left_out == ["zereight", "jmrplens"]
    assert f"| {OURS} |" in done.stdout


def test_no_process_of_a_killed_run_goes_on() -> None:
    with subprocess.Popen([*COMMAND, "--part", "start"], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        read_until(process.stderr, BUSY)
        process.send_signal(signal.SIGKILL)
        # The stub and the processes that keep the cores busy have the same standard error: it ends with the last.
        process.communicate(timeout=60)


def read_until(lines: IO[str], words: str) -> None:
    assert any(words in line for line in lines), f"{words!r} was not written"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("stub") / "answers.json"
    answers.record(file)
    return file


def test_the_stub_answers_what_is_known_and_says_what_it_saw(known: Path) -> None:
    with Stub(known) as stub:
        stub.take(delay=0.01)
        path = f"/projects/acme%2Fapp/issues/{answers.ISSUE}"
        with urllib.request.urlopen(f"{stub.url}/api/v4{path}?with=query", timeout=60) as response:  # noqa: S310
            issue = json.load(response)
        assert issue["web_url"] == f"{stub.url}/acme/app/-/issues/{answers.ISSUE}"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{stub.url}/api/v4/projects/1/unknown", timeout=60)  # noqa: S310
        seen = stub.take()
        assert seen.requests == [
            Request("GET", f"/projects/:id/issues/{answers.ISSUE}", {"with": "query"}, "", 200),
            Request("GET", "/projects/:id/unknown", {}, "", 404),
        ]
        assert seen.most_in_flight == 1
        assert stub.take().requests == []


def test_a_server_that_refuses_or_ends_is_an_error() -> None:
    with ServerProcess([sys.executable, "-c", REFUSING], {}) as server:
        with pytest.raises(ServerError, match=r"Not today\."):
            server.initialize()
        with pytest.raises(ServerError, match="the server ended"):
            server.tools()


def test_the_figures_are_written_between_the_marks_of_the_page(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    tables = Tables()
    tables["Speed"].add("this", "ms", 3.0, 1.0, 2.26)
    tables["Speed"].add("that", "requests", 1234)
    held = [Target("Fast", 5, 5.0), Target("Often", 0.4, 0.25, least=True)]
    page.write({"date": "2026-11-28", "commit": "abc"}, 3, held, tables.filled(), copy)
    before, new = copy.read_text().split(page.BEGIN)
    assert before == "before\n"
    assert new.endswith(f"{page.END}\nafter\n")
    assert "old" not in new
    assert "Measured: date 2026-11-28, commit abc. Medians of 3." in new
    assert "| Fast | at most 5 | 5 | met |\n| Often | at least 0.4 | 0.25 | **not met** |" in new
    assert "|  | ms | requests |\n| --- | ---: | ---: |\n| this | 2.3 | - |\n| that | - | 1,234 |" in new


def test_the_page_has_the_marks_between_which_the_command_writes() -> None:
    text = page.PAGE.read_text()
    assert text.count(f"{page.BEGIN}\n") == text.count(page.END) == 1
    assert text.index(page.BEGIN) < text.index(page.END)
