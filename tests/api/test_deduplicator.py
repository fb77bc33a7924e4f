"""The same create again within ten minutes is answered with the first; what GitLab keeps of a text, and since when."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import Deduplicator, is_made_since, is_same_text
from gitlab_mcp.errors import AnswerLost, GitLabRefusal
from tests.api.calls import BriefCall, brief_call

CHECK = "Look with list_issues."
TEN_MINUTES = 600.0
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC).timestamp()


class Clock:
    """The monotonic clock, which a test moves."""

    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def call(clock: Clock) -> Iterator[BriefCall]:
    with brief_call() as call:
        assert call.began == clock.now
        yield call


@dataclass
class Tracker:
    """A list of things that are created; `lost` answers are lost, `refused` creates do nothing."""

    lost: int = 0
    refused: int = 0
    things: list[Entity] = field(default_factory=list)
    sends: int = 0
    looks: list[float] = field(default_factory=list)
    blind: bool = False

    def send(self) -> Entity:
        self.sends += 1
        if self.refused:
            self.refused -= 1
            raise GitLabRefusal("GitLab answered 400.", status=400)
        self.things.append(Entity({"iid": len(self.things) + 1}))
        if self.lost:
            self.lost -= 1
            raise AnswerLost("The connection broke.", transient=True)
        return self.things[-1]

    def find(self, began: float) -> Entity | None:
        self.looks.append(began)
        if self.blind:
            raise GitLabRefusal("GitLab answered 500.", status=500)
        return self.things[-1] if self.things else None


def create(deduplicator: Deduplicator, tracker: Tracker, key: str = "a") -> tuple[int, bool, bool]:
    """The number of what is there, whether a look-up confirmed it, and whether it was there before."""
    current_call.set(BriefCall(60.0))
    written, again = deduplicator.create_once(key, tracker.send, tracker.find, CHECK)
    return written.result.number("iid"), written.confirmed, again


@pytest.mark.usefixtures("call")
def test_the_same_create_again_is_answered_with_the_first(clock: Clock) -> None:
    deduplicator, tracker = Deduplicator(), Tracker()
    assert create(deduplicator, tracker) == (1, False, False)
    clock.now += TEN_MINUTES
    assert create(deduplicator, tracker) == (1, False, True)
    assert (tracker.sends, tracker.looks) == (1, [])


@pytest.mark.usefixtures("call")
def test_after_ten_minutes_the_same_create_is_meant_anew(clock: Clock) -> None:
    deduplicator, tracker = Deduplicator(), Tracker()
    create(deduplicator, tracker)
    clock.now += TEN_MINUTES + 1
    assert create(deduplicator, tracker) == (2, False, False)
    clock.now += TEN_MINUTES
    assert create(deduplicator, tracker) == (2, False, True)


@pytest.mark.usefixtures("call")
def test_what_is_older_than_ten_minutes_is_forgotten_and_nothing_else(clock: Clock) -> None:
    deduplicator, tracker = Deduplicator(), Tracker()
    create(deduplicator, tracker, "old")
    clock.now += TEN_MINUTES - 1
    create(deduplicator, tracker, "new")
    clock.now += 2
    assert create(deduplicator, tracker, "new") == (2, False, True)
    assert create(deduplicator, tracker, "old") == (3, False, False)


@pytest.mark.usefixtures("call")
def test_other_keys_are_other_things() -> None:
    deduplicator, tracker = Deduplicator(), Tracker()
    assert create(deduplicator, tracker, "a") == (1, False, False)
    assert create(deduplicator, tracker, "b") == (2, False, False)


@pytest.mark.usefixtures("call")
def test_a_create_whose_answer_was_lost_is_looked_up_from_when_it_began(clock: Clock) -> None:
    deduplicator, tracker = Deduplicator(), Tracker(lost=1, blind=True)
    with pytest.raises(AnswerLost, match="not known"):
        create(deduplicator, tracker)
    began = clock.now
    tracker.blind = False
    clock.now += 100
    assert create(deduplicator, tracker) == (1, True, True)
    assert create(deduplicator, tracker) == (1, False, True)
    assert tracker.sends == 1
    assert set(tracker.looks) == {began}


@pytest.mark.usefixtures("call")
def test_a_create_whose_answer_was_lost_and_that_is_not_there_is_made(clock: Clock) -> None:
    deduplicator, tracker = Deduplicator(), Tracker(lost=1, blind=True)
    with pytest.raises(AnswerLost):
        create(deduplicator, tracker)
    tracker.things.clear()
    tracker.blind = False
    began = clock.now
    clock.now += 100
    assert create(deduplicator, tracker) == (1, False, False)
    assert tracker.looks[-1] == began
    clock.now = began + TEN_MINUTES + 1
    assert create(deduplicator, tracker) == (2, False, False), "its time counts from the first attempt"


@pytest.mark.usefixtures("call")
def test_a_create_that_was_refused_is_sent_again_and_not_looked_up() -> None:
    deduplicator, tracker = Deduplicator(), Tracker(refused=1)
    with pytest.raises(GitLabRefusal):
        create(deduplicator, tracker)
    assert create(deduplicator, tracker) == (1, False, False)
    assert tracker.looks == []


@pytest.mark.usefixtures("call")
def test_a_lost_answer_within_one_create_is_confirmed_and_is_no_repetition() -> None:
    deduplicator, tracker = Deduplicator(), Tracker(lost=1)
    assert create(deduplicator, tracker) == (1, True, False)
    assert create(deduplicator, tracker) == (1, False, True)


@pytest.mark.usefixtures("call")
def test_a_create_that_is_under_way_is_not_forgotten() -> None:
    deduplicator, tracker = Deduplicator(), Tracker()

    def send() -> Entity:
        create(deduplicator, Tracker(), "another, at the same time")
        return tracker.send()

    deduplicator.create_once("a", send, tracker.find, CHECK)
    assert create(deduplicator, tracker, "a") == (1, False, True)


def created(seconds: float) -> Entity:
    """A thing that was created so many seconds after noon by GitLab's clock."""
    return Entity({"created_at": datetime.fromtimestamp(NOON + seconds, UTC).isoformat()})


def page_at(seconds: float) -> Page:
    return Page([], 1, None, None, None, NOON + seconds)


@pytest.mark.parametrize(
    ("seconds", "since"),
    [(0, True), (-2, True), (-2.001, False), (30, True), (31, True), (-3600, False)],
    ids=[
        "then",
        "two seconds earlier",
        "more than two seconds earlier",
        "at the answer",
        "after it",
        "an hour earlier",
    ],
)
def test_gitlabs_clock_may_be_two_seconds_off(clock: Clock, seconds: float, since: bool) -> None:
    began = clock.now - 30  # noon by GitLab's clock, of which an answer just said that it is 30 seconds later
    assert is_made_since(created(seconds), began, page_at(30)) is since


@pytest.mark.parametrize("ours", [-5000.0, 0.0, 5000.0], ids=["slow", "right", "fast"])
def test_it_is_gitlabs_clock_that_counts(clock: Clock, monkeypatch: pytest.MonkeyPatch, ours: float) -> None:
    monkeypatch.setattr(time, "time", lambda: NOON + ours)
    assert is_made_since(created(0), clock.now, page_at(0))
    assert not is_made_since(created(-10), clock.now, page_at(0))


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("2026-11-20T12:00:00.000Z", True),
        ("2026-11-20T13:00:00.000+01:00", True),
        ("2026-11-20T12:00:00.000+01:00", False),
        ("2026-11-20T11:59:57.999Z", False),
        ("", False),
        ("yesterday", False),
    ],
)
def test_the_times_of_things_as_gitlab_writes_them(clock: Clock, text: str, since: bool) -> None:
    assert is_made_since(Entity({"created_at": text}), clock.now, page_at(0)) is since


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("words", "words\n"),
        ("words", " \t\nwords"),
        ("two\nlines", "two\r\nlines"),
        ("two\nlines", "two\r\nlines\r\n"),
        ("", " \n"),
    ],
)
def test_texts_that_gitlab_keeps_as_the_same(one: str, other: str) -> None:
    assert is_same_text(one, other)
    assert is_same_text(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("words", "Words"),
        ("two words", "two  words"),
        ("two\nlines", "two\n\nlines"),
        ("words", "words."),
        ("two\n  lines", "two\nlines"),
        ("words", ""),
    ],
)
def test_texts_that_gitlab_keeps_as_two(one: str, other: str) -> None:
    assert not is_same_text(one, other)
    assert not is_same_text(other, one)
