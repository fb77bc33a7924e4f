"""A merge request whose pipeline failed, by a line of its code that the log names; and its fix, committed from disk."""

import base64
from pathlib import Path
from urllib.parse import quote

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Pipeline
from tests.support.gitlab_requests import commit, get, send
from tests.support.journeys import Journey, Step, found

BRANCH = "shell-line"
CONFIG, TESTS = "src/app/config.py", "tests/test_config.py"
# What the logs of the sandbox's failed pipeline speak of: line 11 here and 14 in the tests, and the import in line 3.
BEFORE = '''"""Reading the configuration file."""

import os

KNOWN = ("name", "target", "retries")
COMMENT = "#"


def load_config(path):
    lines = path.read_text().splitlines()
    if lines[0].startswith("#!"):
        lines = lines[1:]
    config = {}
    for line in lines:
        if line.strip() and not line.startswith(COMMENT):
            name, value = line.split(":", 1)
            config[name.strip()] = value.strip()
    return config


def unknown_names(config):
    return [name for name in config if name not in KNOWN]
'''
EDITS = [
    ('    if lines[0].startswith("#!"):\n', '    if lines and lines[0].startswith("#!"):\n'),
    ("import os\n\n", ""),
]
AFTER = BEFORE.replace(*EDITS[0]).replace(*EDITS[1])
MESSAGE = "Read an empty configuration file\n\nIts first line was taken unseen. An unused import goes, too."
COMMIT = Step("commit_files", {"branch": BRANCH, "message": MESSAGE, "paths": ["src/**"]})
# The note, around the commit that it names.
SAID = ("`load_config` took the first line of a file that has none.", "looks first, and drops an unused import.")
CASES = """import pytest

from app.config import load_config


def test_names_and_values(tmp_path):
    (tmp_path / "app.yml").write_text("name: demo\\ntarget: prod\\n")
    assert load_config(tmp_path / "app.yml") == {"name": "demo", "target": "prod"}


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.yml"
    path.write_text("")
    assert load_config(path) == {}


def test_comments(tmp_path):
    (tmp_path / "app.yml").write_text("#!/usr/bin/app\\n# all of it\\nname: demo\\n")
    assert load_config(tmp_path / "app.yml") == {"name": "demo"}


@pytest.mark.skip(reason="not on this system")
def test_windows_paths():
    raise NotImplementedError
"""


def to_fix(sandbox: Sandbox) -> tuple[int, Pipeline]:
    """Open the merge request and let its pipeline fail; its iid, and the pipeline."""
    written = ((CONFIG, BEFORE), (TESTS, CASES))
    changes = [{"action": "update", "file_path": path, "content": text} for path, text in written]
    commit(sandbox, BRANCH, "main", *changes)
    body = {"source_branch": BRANCH, "target_branch": "main", "title": "Pass over a first line for the shell"}
    number = send(sandbox, "POST", "/merge_requests", **body)["iid"]
    assert isinstance(number, int)
    return number, sandbox.fail_pipeline(BRANCH)


def fix(number: int, work: Path) -> Journey:
    """What the agent does, whose clone is `work`."""
    iid = {"iid": f"!{number}"}
    told = yield Step("get_pipeline", iid)
    unit, lint = (int(found(rf"^(\d+) {name} \(test\)", told)) for name in ("unit", "lint"))
    yield Step("get_job_log", {"job_id": unit})
    yield Step("get_test_report", {"pipeline_id": int(found(r"^# Pipeline (\d+) ", told))})
    yield Step("get_job_log", {"job_id": lint})
    yield from _edit(work)
    committed = yield COMMIT
    yield Step("get_pipeline", iid)
    made = found(r"^Committed (\w+) ", committed)
    yield Step("create_note", {**iid, "body": f"{SAID[0]} {made} {SAID[1]}"})


def fix_by_job(number: int, work: Path) -> Journey:
    """What an agent can do of it that has CI_JOB_TOKEN alone, and knows from elsewhere what is wrong."""
    yield Step("get_pipeline", {"iid": f"!{number}"})
    yield from _edit(work)
    yield COMMIT


def _edit(work: Path) -> Journey:
    file = {"file_path": str(work / CONFIG)}
    yield Step("Read", file, own=True)
    for old, new in EDITS:
        yield Step("Edit", {**file, "old_string": old, "new_string": new}, own=True)


def assert_committed(sandbox: Sandbox, failed: Pipeline) -> str:
    """GitLab has one commit on top of the one that failed, with the file as it was edited and no other; its id."""
    [made, *before] = get(sandbox, f"/repository/commits?ref_name={BRANCH}")
    assert (made["parent_ids"], before[0]["id"]) == ([failed.sha], failed.sha)
    assert (made["message"].strip(), made["author_name"]) == (MESSAGE, "Developer")
    assert [each["new_path"] for each in get(sandbox, f"/repository/commits/{made['id']}/diff")] == [CONFIG]
    held = get(sandbox, f"/repository/files/{quote(CONFIG, safe='')}?ref={BRANCH}")
    assert base64.b64decode(held["content"]).decode() == AFTER
    return str(made["short_id"])


def notes(sandbox: Sandbox, number: int) -> list[str]:
    """What people wrote on the merge request."""
    return [note["body"] for note in get(sandbox, f"/merge_requests/{number}/notes") if not note["system"]]
