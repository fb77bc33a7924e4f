"""Things that a run makes on GitLab, each once: the same again within ten minutes is answered with the first."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.writes import Written, write_once
from gitlab_mcp.call import current_call
from gitlab_mcp.errors import AnswerLost

# An agent that goes round in a circle makes the same thing again; after this long, in seconds, it is meant anew.
SAME_SECONDS = 600.0
# GitLab's clock is read from its answers, which show whole seconds.
CLOCK_SECONDS = 2.0


@dataclass
class _Made:
    """What became of a thing: `at` is when its call began, on the monotonic clock; `made` is empty while not known."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    made: Entity = field(default_factory=lambda: Entity(None))


class Repeats:
    """What was made lately, by a key that says what it is. Calls come from many threads at once."""

    def __init__(self) -> None:
        self._made: dict[Hashable, _Made] = {}
        self._lock = threading.Lock()

    def make(
        self, key: Hashable, send: Callable[[], Entity], find: Callable[[float], Entity | None], check: str
    ) -> tuple[Written[Entity], bool]:
        """Make a thing, and say whether it was there before. `find` looks for one made since a monotonic time.

        Raises AnswerLost, with `check`, when what became of it cannot be known.
        """
        with self._lock:
            self._forget()
            known = self._made.setdefault(key, _Made())
        with known.lock:  # the same twice at once waits for the first
            if known.at and known.made:
                return Written(known.made, confirmed=False), True
            began = known.at or current_call.get().began
            if known.at and (found := find(began)):  # an earlier call lost its answer
                known.made = found
                return Written(found, confirmed=True), True
            try:
                written = write_once(send, lambda: find(began), check)
            except AnswerLost:
                known.at = began
                raise
            known.at, known.made = began, written.result
        return written, False

    def _forget(self) -> None:
        old = time.monotonic() - SAME_SECONDS
        for key in [key for key, known in self._made.items() if known.at and known.at < old]:
            del self._made[key]


def is_made_since(thing: Entity, began: float, page: Page) -> bool:
    """Whether a thing on a page of GitLab's was made since `began`, a time on the monotonic clock."""
    since = page.at - (time.monotonic() - began) - CLOCK_SECONDS
    try:
        return datetime.fromisoformat(thing.text("created_at")).timestamp() >= since
    except ValueError:
        return False


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts are the same to GitLab, which cuts the blanks at their ends."""
    return as_kept(one) == as_kept(other)


def as_kept(text: str) -> str:
    """A text as GitLab keeps it."""
    return text.replace("\r\n", "\n").strip()
