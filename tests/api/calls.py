"""Calls of tools for tests of single modules: with as much time left as a test says, and without real waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.errors import Failure

PLENTY, NOTHING_MUCH = 60.0, 0.01


class BriefCall(Call):
    """A call that always has `left` seconds left, keeps how long it was to wait, and does not wait."""

    def __init__(self, left: float) -> None:
        super().__init__(left, lambda _message: None)
        self._always_left = left
        self.waits: list[float] = []

    def left(self) -> float:
        return self._always_left

    def wait(self, seconds: float, failure: Failure) -> None:
        super().wait(seconds if seconds >= self._always_left else 0.0, failure)
        self.waits.append(seconds)


@contextmanager
def brief_call(left: float = PLENTY) -> Iterator[BriefCall]:
    """The current call is one that has `left` seconds left."""
    call = BriefCall(left)
    token = current_call.set(call)
    try:
        yield call
    finally:
        current_call.reset(token)
