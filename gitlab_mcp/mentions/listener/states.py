"""The states of a mention, and which state may follow which: one table, which the store holds every change to."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """How far a mention has come. The value is what the store and the metrics hold."""

    RECEIVED = "received"  # stored, and its webhook answered; nothing else has been done
    ACCEPTED = "accepted"  # a run is to be started for it
    SEEN = "seen"  # it has its eyes reaction
    ANNOUNCED = "announced"  # its tracking note is there, if the listener writes one
    STARTING = "starting"  # GitLab may have been asked for its pipeline
    RUNNING = "running"  # its pipeline is known, and has not ended
    CLOSING = "closing"  # its pipeline has ended, and a note that says otherwise is to be closed
    FAILING = "failing"  # it was given up, and its note is to say why
    REFUSING = "refusing"  # it is to be answered with why nothing runs
    STOPPING = "stopping"  # it asks to cancel the runs of its thread

    DONE = "done"
    FAILED = "failed"  # a dead letter: `listen retry ID` begins again
    REFUSED = "refused"
    STOPPED = "stopped"
    IGNORED = "ignored"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.ACCEPTED, State.REFUSING, State.STOPPING, State.IGNORED, State.FAILED}),
    State.ACCEPTED: frozenset({State.SEEN, State.IGNORED, State.FAILING}),
    State.SEEN: frozenset({State.ANNOUNCED, State.DONE, State.IGNORED, State.FAILING}),
    State.ANNOUNCED: frozenset({State.STARTING, State.CLOSING, State.FAILING}),
    State.STARTING: frozenset({State.RUNNING, State.CLOSING, State.FAILING}),
    State.RUNNING: frozenset({State.CLOSING, State.FAILING}),
    State.CLOSING: frozenset({State.DONE, State.FAILED}),
    State.FAILING: frozenset({State.FAILED}),
    State.REFUSING: frozenset({State.REFUSED, State.FAILED}),
    State.STOPPING: frozenset({State.STOPPED, State.FAILED}),
    State.FAILED: frozenset({State.RECEIVED}),
    State.DONE: frozenset(),
    State.REFUSED: frozenset(),
    State.STOPPED: frozenset(),
    State.IGNORED: frozenset(),
}

ENDED = frozenset({State.DONE, State.FAILED, State.REFUSED, State.STOPPED, State.IGNORED})
# A run was started, or is about to be: what counts for the rate of a person and a project.
WITH_RUN = frozenset(
    {State.ACCEPTED, State.SEEN, State.ANNOUNCED, State.STARTING, State.RUNNING, State.CLOSING, State.FAILING}
    | {State.DONE, State.FAILED}
)


class NoSuchTransition(Exception):
    """A mention was to go from one state to another that the table does not name: an error in this program."""


def check_transition(before: State, after: State) -> None:
    """Raise NoSuchTransition where `after` may not follow `before`."""
    if after not in TRANSITIONS[before]:
        raise NoSuchTransition(f"A mention cannot go from {before} to {after}.")
