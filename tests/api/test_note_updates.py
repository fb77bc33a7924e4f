"""The thread that keeps a tracking note up to date: how often it writes, and what it does while GitLab is away."""

import queue
from collections.abc import Callable

import pytest

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.note_updates import NoteUpdates
from gitlab_mcp.api.tracking_note import NotePlace, TrackingNote
from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import writes
from tests.support.seed import SEED
from tests.support.settings import job_settings
from tests.support.tracking_notes import RUN, answers, asked, client, texts

ISSUE = SEED.crash_issue
NEVER, AT_ONCE = 3600.0, 0.0  # seconds between two edits
HANGS = 30.0  # seconds


class Observed(TrackingNote):
    """A tracking note that tells when a text was written."""

    def __init__(self, gitlab: GitLab, place: NotePlace) -> None:
        super().__init__(gitlab, place, RUN)
        self.written: queue.Queue[str] = queue.Queue()

    def write(self, text: str, *, ended: bool = False, seconds: float = 30.0) -> None:
        super().write(text, ended=ended, seconds=seconds)
        self.written.put(text)


def methods(sandbox: Sandbox) -> list[str]:
    return [request.split()[0] for request in writes(sandbox)]


def test_the_first_text_is_written_at_once_and_the_next_ones_wait(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude often")
    sandbox.faults.clear()
    note, log = Observed(client(sandbox), place), list[str]()
    updates = NoteUpdates(note, log.append, seconds=NEVER)
    updates.show("working")
    assert note.written.get(timeout=HANGS) == "working"
    for step in range(20):
        updates.show(f"step {step}")
    assert updates.finish("done")
    assert methods(sandbox) == ["POST", "PUT"]
    assert (texts(sandbox, place), log) == (["done"], [])


def test_a_text_that_is_due_is_written_and_an_equal_one_is_not(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude now")
    sandbox.faults.clear()
    note = Observed(client(sandbox), place)
    log = list[str]()
    updates = NoteUpdates(note, log.append, seconds=AT_ONCE)
    for text in ("working", "read #7", "changed 3 files"):
        updates.show(text)
        updates.show(text)
        assert note.written.get(timeout=HANGS) == text
    assert updates.finish("done")
    assert methods(sandbox) == ["POST", "PUT", "PUT", "PUT"]
    assert (texts(sandbox, place), log) == (["done"], [])


def test_a_gitlab_that_is_away_and_comes_back_gets_the_newest_text(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude are you there?")
    sandbox.faults.fail("*", "/notes", status=503, times=6)
    note, log = Observed(client(sandbox), place), list[str]()
    updates = NoteUpdates(note, log.append, seconds=AT_ONCE)
    updates.show("working")
    updates.show("newest")
    while note.written.get(timeout=HANGS) != "newest":
        pass
    assert texts(sandbox, place) == ["newest"]
    assert len(log) == len({line.partition(":")[2] for line in log}) > 0
    assert updates.finish("done")
    assert texts(sandbox, place) == ["done"]


def test_a_run_that_ends_while_gitlab_is_away_answers_when_it_is_back(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude at the end")
    updates = NoteUpdates(TrackingNote(client(sandbox), place, RUN), list[str]().append, seconds=NEVER)
    sandbox.faults.fail("*", "/notes", status=502, times=7)
    updates.show("working")
    assert updates.finish("done", seconds=HANGS * 2)
    assert texts(sandbox, place) == ["done"]


def test_a_gitlab_that_stays_away_is_not_waited_for_longer_than_asked(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude for ever")
    log = list[str]()
    updates = NoteUpdates(TrackingNote(client(sandbox), place, RUN), log.append, seconds=NEVER)
    sandbox.faults.fail("*", "/notes", status=503, times=10_000)
    assert not updates.finish("done", seconds=0.5)
    assert "The tracking note does not say that the run has ended" in log[-1]
    sandbox.faults.clear()
    assert answers(sandbox, place) == []


def job_token(sandbox: Sandbox) -> GitLab:
    return GitLab(job_settings(sandbox))


def read_only(sandbox: Sandbox) -> GitLab:
    return client(sandbox, read_only=True)


def refused(sandbox: Sandbox) -> GitLab:
    sandbox.faults.fail("POST", "/notes", status=403, body={"message": "403 Forbidden"}, times=2)
    return client(sandbox)


@pytest.mark.parametrize("connection", [job_token, read_only, refused])
def test_where_no_note_is_possible_the_log_says_so_once(
    sandbox: Sandbox, connection: Callable[[Sandbox], GitLab]
) -> None:
    place = asked(sandbox, ISSUE, f"@claude {connection.__name__}")
    gitlab, log = connection(sandbox), list[str]()
    updates = NoteUpdates(TrackingNote(gitlab, place, RUN), log.append, seconds=AT_ONCE)
    for text in ("working", "step"):
        updates.show(text)
    assert not updates.finish("done")
    assert len(log) == 1
    assert log[0].startswith("The tracking note was not written: ")
    assert answers(sandbox, place) == []


def test_a_run_that_shows_nothing_before_its_end_still_answers(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude short")
    assert NoteUpdates(TrackingNote(client(sandbox), place, RUN), print).finish("done")
    assert texts(sandbox, place) == ["done"]
