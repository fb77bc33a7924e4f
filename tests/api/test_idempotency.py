"""The loop that sends a write once: each outcome of the write, of the look-up and of the time that is left."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.errors import AnswerLost, Conflict, Failure, GitLabRefusal, Unreachable
from tests.api.calls import NOTHING_MUCH, PLENTY, brief_call

CHECK = "Look with get_issue."
NOT_KNOWN = "not known"

# What a write can meet. Each is made anew: a failure carries the text that the loop adds to it.
LOST: dict[str, Callable[[], Failure]] = {
    "no answer": lambda: AnswerLost("The connection broke.", transient=True),
    "an answer that cannot be used": lambda: AnswerLost("The answer cannot be decompressed."),
    "502": lambda: GitLabRefusal("GitLab answered 502.", status=502),
    "503": lambda: GitLabRefusal("GitLab answered 503.", status=503),
    "504": lambda: GitLabRefusal("GitLab answered 504.", status=504),
    "503 with Retry-After": lambda: GitLabRefusal("GitLab answered 503.", status=503, retry_after=1.0),
}
NOT_DONE: dict[str, Callable[[], Failure]] = {
    "429": lambda: GitLabRefusal("GitLab answered 429.", status=429),
    "429 with Retry-After": lambda: GitLabRefusal("GitLab answered 429.", status=429, retry_after=1.0),
    "never connected": lambda: Unreachable("It cannot be reached.", transient=True),
}
FINAL: dict[str, Callable[[], Failure]] = {
    "400": lambda: GitLabRefusal("GitLab answered 400.", status=400),
    "403": lambda: GitLabRefusal("GitLab answered 403.", status=403),
    "409": lambda: Conflict("GitLab answered 409.", status=409),
    "500": lambda: GitLabRefusal("GitLab answered 500.", status=500),
    "501": lambda: GitLabRefusal("GitLab answered 501.", status=501),
    "505": lambda: GitLabRefusal("GitLab answered 505.", status=505),
    "408": lambda: GitLabRefusal("GitLab answered 408.", status=408),
    "425": lambda: GitLabRefusal("GitLab answered 425.", status=425),
    "not sent": lambda: GitLabRefusal("It was not sent.", status=0),
    "a certificate that is not accepted": lambda: Unreachable("The certificate was not accepted."),
}
ALL = {**LOST, **NOT_DONE, **FINAL}
# What a look-up meets.
EXISTS, MISSING, FAILS = "exists", "missing", "fails"
FIND_FAILURES: dict[str, Callable[[], Failure]] = {
    "refused": lambda: GitLabRefusal("GitLab answered 500.", status=500),
    "never connected": lambda: Unreachable("It cannot be reached.", transient=True),
}


@dataclass
class Script:
    """A write and its look-up, which meet what they are told one by one; the last outcome of a look-up is repeated."""

    sends: list[Failure | None]
    finds: list[str]
    find_failure: Callable[[], Failure] = FIND_FAILURES["refused"]
    log: list[str] = field(default_factory=list)

    def send(self) -> str:
        self.log.append("send")
        outcome = self.sends.pop(0)
        if outcome is not None:
            raise outcome
        return "made"

    def find(self) -> str | None:
        self.log.append("find")
        outcome = self.finds.pop(0) if len(self.finds) > 1 else self.finds[0]
        if outcome == FAILS:
            raise self.find_failure()
        return "found" if outcome == EXISTS else None

    def run(self, left: float = PLENTY, *, repeats: bool = False) -> tuple[str, bool]:
        with brief_call(left):
            written = write_once(self.send, self.find, CHECK, repeats=repeats)
        return written.result, written.confirmed

    def failure(self, left: float = PLENTY) -> Failure:
        with pytest.raises(Failure) as raised:
            self.run(left)
        return raised.value


every_look_up = pytest.mark.parametrize("find", [EXISTS, MISSING, FAILS])
any_time = pytest.mark.parametrize("left", [PLENTY, NOTHING_MUCH], ids=["time left", "no time left"])
every_loss = pytest.mark.parametrize("loss", LOST.values(), ids=list(LOST))
every_not_done = pytest.mark.parametrize("nothing", NOT_DONE.values(), ids=list(NOT_DONE))
every_final = pytest.mark.parametrize("final", FINAL.values(), ids=list(FINAL))


@every_look_up
@any_time
def test_a_write_that_is_answered_is_not_looked_up(find: str, left: float) -> None:
    script = Script([None], [find])
    assert script.run(left) == ("made", False)
    assert script.log == ["send"]


@every_loss
@any_time
def test_a_lost_write_that_is_found_is_confirmed_and_not_sent_again(loss: Callable[[], Failure], left: float) -> None:
    script = Script([loss()], [EXISTS])
    assert script.run(left) == ("found", True)
    assert script.log == ["send", "find"]


@every_loss
def test_a_lost_write_is_sent_again_only_after_two_look_ups(loss: Callable[[], Failure]) -> None:
    script = Script([loss(), None], [MISSING])
    assert script.run() == ("made", False)
    assert script.log == ["send", "find", "find", "send"]


@every_loss
def test_a_slow_write_that_is_found_after_the_wait_is_not_sent_twice(loss: Callable[[], Failure]) -> None:
    script = Script([loss()], [MISSING, EXISTS])
    assert script.run() == ("found", True)
    assert script.log == ["send", "find", "find"]


@every_loss
@pytest.mark.parametrize("looks", [3, 5])
def test_a_write_that_would_be_doubled_is_looked_up_for_seconds(loss: Callable[[], Failure], looks: int) -> None:
    script = Script([loss()], [*[MISSING] * looks, EXISTS])
    assert script.run(repeats=True) == ("found", True)
    assert script.log == ["send", *["find"] * (looks + 1)]


def test_a_write_that_would_be_doubled_is_looked_up_with_pauses() -> None:
    busy = GitLabRefusal("GitLab answered 429.", status=429, retry_after=0.0)
    script = Script([LOST["no answer"](), busy, None], [MISSING])
    with brief_call() as call:
        write_once(script.send, script.find, CHECK, repeats=True)
    assert script.log.count("send") == 3
    assert len(call.waits) < 30


def test_a_write_that_would_be_doubled_is_sent_again_after_a_tenth_of_the_time() -> None:
    script = Script([LOST["no answer"](), None], [MISSING])
    with brief_call() as call:
        write_once(script.send, script.find, CHECK, repeats=True)
    assert script.log == ["send", *["find"] * (len(call.waits) + 1), "send"]
    assert PLENTY / 10 <= sum(call.waits) < PLENTY / 10 + 3


@every_loss
def test_a_lost_write_without_time_for_a_second_look_is_not_known(loss: Callable[[], Failure]) -> None:
    script = Script([loss()], [MISSING])
    told = script.failure(NOTHING_MUCH)
    assert isinstance(told, AnswerLost)
    assert NOT_KNOWN in str(told)
    assert str(told).endswith(CHECK)
    assert script.log == ["send", "find"]


@every_loss
@any_time
@pytest.mark.parametrize("blind", FIND_FAILURES.values(), ids=list(FIND_FAILURES))
def test_a_lost_write_whose_look_up_fails_is_not_known(
    loss: Callable[[], Failure], left: float, blind: Callable[[], Failure]
) -> None:
    failure = loss()
    script = Script([failure], [FAILS], blind)
    told = script.failure(left)
    assert isinstance(told, AnswerLost)
    assert str(told).startswith(str(failure))
    assert NOT_KNOWN in str(told)
    assert str(told).endswith(CHECK)
    assert script.log == ["send", "find"]


@every_loss
def test_a_lost_write_whose_second_look_up_fails_is_not_known(loss: Callable[[], Failure]) -> None:
    script = Script([loss()], [MISSING, FAILS])
    told = script.failure()
    assert isinstance(told, AnswerLost)
    assert NOT_KNOWN in str(told)
    assert script.log == ["send", "find", "find"]


@every_not_done
@every_look_up
def test_a_write_that_did_nothing_is_sent_again_without_a_look(nothing: Callable[[], Failure], find: str) -> None:
    script = Script([nothing(), None], [find])
    assert script.run() == ("made", False)
    assert script.log == ["send", "send"]


@every_not_done
@every_look_up
def test_a_write_that_did_nothing_and_has_no_time_left_is_a_failure(nothing: Callable[[], Failure], find: str) -> None:
    failure = nothing()
    script = Script([failure], [find])
    assert script.failure(NOTHING_MUCH) is failure
    assert NOT_KNOWN not in str(failure)
    assert script.log == ["send"]


@every_final
@every_look_up
@any_time
def test_a_failure_that_is_not_transient_is_not_tried_again(
    final: Callable[[], Failure], find: str, left: float
) -> None:
    failure = final()
    script = Script([failure], [find])
    assert script.failure(left) is failure
    assert script.log == ["send"]


@every_loss
@every_final
def test_a_refusal_after_a_lost_answer_is_looked_up(loss: Callable[[], Failure], final: Callable[[], Failure]) -> None:
    script = Script([loss(), final()], [MISSING, MISSING, EXISTS])
    assert script.run() == ("found", True)
    assert script.log == ["send", "find", "find", "send", "find"]


@every_final
def test_a_refusal_after_a_lost_answer_stands_where_nothing_is_found(final: Callable[[], Failure]) -> None:
    failure = final()
    script = Script([LOST["no answer"](), failure], [MISSING])
    assert script.failure() is failure


@every_final
def test_a_refusal_after_a_lost_answer_that_cannot_be_looked_up_is_not_known(final: Callable[[], Failure]) -> None:
    told = Script([LOST["no answer"](), final()], [MISSING, MISSING, FAILS]).failure()
    assert isinstance(told, AnswerLost)
    assert NOT_KNOWN in str(told)


@every_not_done
@pytest.mark.parametrize("looks", [[EXISTS], [MISSING, EXISTS]], ids=["at once", "after the wait"])
def test_a_lost_write_that_shows_up_while_nothing_gets_through_is_not_sent_again(
    nothing: Callable[[], Failure], looks: list[str]
) -> None:
    script = Script([LOST["no answer"](), nothing()], [MISSING, MISSING, *looks])
    assert script.run() == ("found", True)
    assert script.log.count("send") == 2


@every_not_done
def test_what_is_lost_stays_unknown_when_time_ends_later(nothing: Callable[[], Failure]) -> None:
    script = Script([LOST["no answer"](), *(nothing() for _ in range(9))], [MISSING])
    if isinstance(asks := nothing(), GitLabRefusal) and asks.retry_after:
        script.sends[1] = GitLabRefusal("GitLab answered 429.", status=429, retry_after=PLENTY)
    told = script.failure()
    assert isinstance(told, AnswerLost)
    assert NOT_KNOWN in str(told)


@pytest.mark.parametrize("kind", ["no answer", "502", "429", "never connected"])
def test_a_write_is_sent_five_times_at_most(kind: str) -> None:
    script = Script([ALL[kind]() for _ in range(9)], [MISSING])
    script.failure()
    assert script.log.count("send") == 5


def test_a_write_is_sent_as_often_as_gitlab_asks_for_patience() -> None:
    script = Script([*(NOT_DONE["429 with Retry-After"]() for _ in range(8)), None], [MISSING])
    assert script.run() == ("made", False)


def test_the_wait_is_what_gitlab_asks_for_else_it_doubles() -> None:
    asked = [GitLabRefusal("GitLab answered 429.", status=429, retry_after=seconds) for seconds in (0.0, 7.0, 3.0)]
    with brief_call() as call:
        write_once(Script([*asked, None], [MISSING]).send, lambda: None, CHECK)
    assert call.waits == [0.0, 7.0, 3.0]
    with brief_call() as call:
        write_once(Script([*(NOT_DONE["429"]() for _ in range(4)), None], [MISSING]).send, lambda: None, CHECK)
    for wait, middle in zip(call.waits, (0.25, 0.5, 1.0, 2.0), strict=True):
        assert middle / 2 <= wait <= middle * 1.5


def test_a_wait_of_just_what_is_left_is_too_long() -> None:
    for seconds, sends in ((PLENTY, 1), (PLENTY - 1, 2)):
        busy = GitLabRefusal("GitLab answered 429.", status=429, retry_after=seconds)
        script = Script([busy, None], [MISSING])
        if sends == 1:
            assert script.failure() is busy
        else:
            assert script.run() == ("made", False)
        assert script.log.count("send") == sends


def test_what_is_found_may_be_empty_text_or_zero_and_counts_as_found() -> None:
    with brief_call():
        assert write_once(Script([LOST["502"]()], [MISSING]).send, lambda: "", CHECK).confirmed


def test_other_exceptions_pass_through_at_once() -> None:
    script = Script([], [EXISTS])
    with pytest.raises(IndexError):
        script.run()
    assert script.log == ["send"]


def test_a_cancelled_call_sends_nothing_again() -> None:
    for loss, kind in ((LOST["no answer"], AnswerLost), (NOT_DONE["429"], Unreachable)):
        script = Script([loss(), None], [MISSING])
        with brief_call() as call:
            call.cancel()
            with pytest.raises(kind):
                write_once(script.send, script.find, CHECK)
        assert script.log.count("send") == 1
