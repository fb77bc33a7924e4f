"""The log of a run while it goes on: what Claude says, each tool call with its outcome and time, edits as a diff."""

from collections.abc import Callable

from gitlab_mcp.claude_code.events import Event


class RunLog:
    """Writes the log, line by line, to `write`, which gets whole lines with their ends.

    `sections` are GitLab's collapsible sections, which only a job's log has. With `confidential` the log has only
    names of tools, outcomes and times. Every `now` is a time in seconds since the epoch.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        now: float,
        *,
        sections: bool = True,
        colors: bool = True,
        confidential: bool = False,
        secrets: tuple[str, ...] = (),
    ) -> None:
        raise NotImplementedError

    def show(self, event: Event, now: float) -> None:
        """Write what an event says; most events are a line, some are none."""
        raise NotImplementedError

    def tick(self, now: float) -> None:
        """Write a line if nothing was written for a minute. Call it every second or so."""
        raise NotImplementedError

    def say(self, text: str, now: float) -> None:
        """Write a line of the run's own, such as a warning; it is redacted, and shown in a confidential run too."""
        raise NotImplementedError
