"""The table of states: every mention comes to an end, and every step has its place."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from gitlab_mcp.mentions.listener.states import ENDED, TRANSITIONS, NoSuchTransition, State
from gitlab_mcp.mentions.listener.steps import GIVEN_UP, STEP_AFTER
from gitlab_mcp.mentions.listener.store import Store
from gitlab_mcp.mentions.listener.table import NewMention

UNENDED = set(State) - ENDED


def reachable(first: State) -> set[State]:
    """The states that can follow, in any number of steps."""
    found, waiting = {first}, [first]
    while waiting:
        new = TRANSITIONS[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_every_state_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_is_reached_from_the_first() -> None:
    assert reachable(State.RECEIVED) == set(State)


@pytest.mark.parametrize("state", State)
def test_an_end_is_reached_from_every_state(state: State) -> None:
    assert reachable(state) & ENDED


def test_only_a_dead_letter_can_go_on_after_its_end() -> None:
    assert {state for state in ENDED if TRANSITIONS[state]} == {State.FAILED}


def test_every_state_that_is_not_an_end_has_one_step() -> None:
    assert set(STEP_AFTER) == UNENDED
    assert len(set(STEP_AFTER.values())) == len(STEP_AFTER)


def test_every_step_can_be_given_up() -> None:
    assert set(GIVEN_UP) == UNENDED
    assert {state: after for state, after in GIVEN_UP.items() if after not in TRANSITIONS[state]} == {}


def test_the_store_takes_only_what_the_table_names(tmp_path: Path) -> None:
    store = Store(tmp_path / "mentions.db")
    store.add(NewMention("note/1", 1, "acme/app", 2, "thread", "issues/7", b"{}")).result()
    mention = store.claim()
    assert mention
    for before, after in itertools.product(State, State):
        claimed = replace(mention, state=before)
        if after in TRANSITIONS[before]:
            moved = store.advance(claimed, after)
            assert (moved.state, moved.is_claimed) == (after, after not in ENDED)
        else:
            with pytest.raises(NoSuchTransition):
                store.advance(claimed, after)
    store.close()
