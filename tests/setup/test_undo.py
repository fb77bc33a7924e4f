"""`setup --undo` takes back what setup made, and nothing else: the project is as before."""

import json
from pathlib import Path

import pytest

from tests.support.gitlab_requests import commit, get, send
from tests.support.setup_command import Maintainer, file_at, merge, stored, things_of


def test_everything_is_taken_back_and_the_project_is_as_before(maintainer: Maintainer) -> None:
    before = things_of(maintainer.sandbox)
    maintainer.sets_up()
    assert things_of(maintainer.sandbox) != before
    report = maintainer.sets_up("--undo")
    assert report.code == 0
    assert [row["status"] for row in report.data["results"] if row["status"] != "in place"] == ["done"] * 5
    assert things_of(maintainer.sandbox) == before


def test_undo_shows_its_plan_first_and_asks(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    before = things_of(maintainer.sandbox)
    changed = {step for step, status in maintainer.plans("--undo").statuses().items() if status == "change"}
    assert changed == maintainer.plans().statuses().keys()
    assert maintainer.runs("--undo", answers="n\n").code == 1
    assert things_of(maintainer.sandbox) == before


def test_a_second_undo_finds_nothing_to_take_back(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    maintainer.sets_up("--undo")
    report = maintainer.sets_up("--undo")
    assert set(report.statuses().values()) == {"in place"}
    assert report.code == 0


def test_undo_without_a_setup_changes_nothing_of_other_people(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    send(sandbox, "POST", "/variables", "maintainer", key="GITLAB_ACCESS_TOKEN", value="glpat-their-own-token-00")
    send(sandbox, "POST", "/variables", "maintainer", key="ANTHROPIC_API_KEY", value="sk-their-own-key-00")
    send(sandbox, "POST", "/access_tokens", "maintainer", name="Claude", scopes=["api"], expires_at="2026-12-30")
    send(sandbox, "PUT", "", "maintainer", ci_push_repository_for_job_token_allowed=True)
    before = things_of(sandbox)
    maintainer.sets_up()
    assert maintainer.sets_up("--undo").code == 0
    assert things_of(sandbox) == before
    assert stored(sandbox)["ANTHROPIC_API_KEY"] == "sk-their-own-key-00"


def test_what_was_merged_is_taken_out_by_a_merge_request(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    old = file_at(sandbox, ".gitlab-ci.yml", "main")
    maintainer.sets_up()
    merge(sandbox)
    assert maintainer.sets_up("--undo").of("merge-request")[0] == "done"
    assert file_at(sandbox, ".gitlab-ci.yml", "main") != old
    assert maintainer.sets_up("--undo").of("merge-request")[0] == "in place"
    merge(sandbox)
    assert file_at(sandbox, ".gitlab-ci.yml", "main") == old
    names = [row["path"] for row in get(sandbox, "/repository/tree?ref=main&recursive=true")]
    assert not [name for name in names if name == "CLAUDE.md" or name.startswith(".gitlab/claude/")]
    assert "includes no job" in maintainer.sets_up("--undo").of("merge-request")[1]


def test_a_merged_job_stays_where_the_question_is_answered_with_no(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    merge(maintainer.sandbox)
    report = maintainer.runs("--undo", answers="y\nn\n")
    assert "The job was merged. Open a merge request that takes it out?" in report.output
    assert not [name for name in things_of(maintainer.sandbox)["merge_requests"] if "setup" in name]


def test_a_file_that_others_edited_since_loses_only_the_include(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    maintainer.sets_up("--push-unprotected")
    merge(sandbox)
    send(sandbox, "DELETE", "/protected_branches/main", "maintainer")
    edited = file_at(sandbox, ".gitlab-ci.yml", "main").replace("stages:", "# edited since\nstages:")
    commit(sandbox, "main", "", {"action": "update", "file_path": ".gitlab-ci.yml", "content": edited})
    maintainer.sets_up("--undo")
    merge(sandbox)
    text = file_at(sandbox, ".gitlab-ci.yml", "main")
    assert "# edited since\nstages:" in text
    assert ".gitlab/claude" not in text


def test_from_another_machine_only_what_carries_the_marker_is_taken_back(
    maintainer: Maintainer, tmp_path: Path
) -> None:
    before = things_of(maintainer.sandbox)
    maintainer.sets_up()
    other = Maintainer(tmp_path / "other", maintainer.sandbox)
    report = other.sets_up("--undo")
    assert "not changed from this machine" in report.of("push-switch")[1]
    assert things_of(maintainer.sandbox) == {**before, "push": True}


def test_the_former_values_are_in_a_private_file_without_secrets(maintainer: Maintainer) -> None:
    maintainer.environ["XDG_STATE_HOME"] = str(maintainer.home / "state")
    maintainer.sets_up()
    [path] = (maintainer.home / "state" / "gitlab-mcp-server" / "setup").iterdir()
    state = json.loads(path.read_text())
    assert state["steps"]["push-switch"] == {"before": False}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["{", "[]", '{"steps": [1]}'], ids=["not JSON", "a list", "of another form"])
def test_a_state_that_cannot_be_read_is_named_and_nothing_is_changed(maintainer: Maintainer, text: str) -> None:
    maintainer.sets_up()
    before = things_of(maintainer.sandbox)
    [path] = (maintainer.home / ".local" / "state" / "gitlab-mcp-server" / "setup").iterdir()
    path.write_text(text)
    report = maintainer.runs("--undo", "--yes")
    assert report.code == 2
    assert str(path) in report.output
    assert things_of(maintainer.sandbox) == before
