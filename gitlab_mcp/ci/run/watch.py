"""Watching Claude Code while it runs: its events go to who follows the run, and it is stopped where it has to be."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gitlab_mcp.ci.run.process import ClaudeProcess, StopSignals
from gitlab_mcp.claude_code.ending import Ending, ending_of
from gitlab_mcp.claude_code.events import ApiRetry, Event, SessionEnd, SessionStart
from gitlab_mcp.claude_code.registration import SERVER_NAME
from gitlab_mcp.claude_code.stream import EventReader

REFUSED_KEYS = 3  # so many 401 of the model's API in a row are no accident; Claude Code itself tries for three minutes
STDERR_LINE_BYTES = 4096
STDERR_LINES = 200  # that are shown
LINGERING_SECONDS = 30.0  # how long Claude Code may take to end after its last event


@dataclass(frozen=True)
class Followers:
    """Who follows a run: `event` gets events, `warning` gets lines of stderr, `tick` is called every second or so."""

    event: Callable[[Event], None]
    tick: Callable[[], None]
    warning: Callable[[str], None]


class Watch:
    """One run of Claude Code. Once `follow` has returned, `ending` says how it ended, `end` is its last event.

    `deadline` is the time of the system's clock, in seconds, at which the run is stopped; `last_warning` is the last
    line of stderr.
    """

    def __init__(self, process: ClaudeProcess, signals: StopSignals, deadline: float, followers: Followers) -> None:
        self.ending = Ending.NOT_STARTED
        self.end: SessionEnd | None = None
        self.last_warning = ""
        self._process = process
        self._signals = signals
        self._deadline = deadline
        self._followers = followers
        self._has_started = False
        self._stopped: Ending | None = None
        self._refused_keys = 0
        self._lingers_from = float("inf")
        self._stderr = b""
        self._stderr_lines = 0

    def follow(self, secrets: tuple[str, ...]) -> None:
        """Read all that Claude Code writes, until it has ended."""
        reader = EventReader(secrets)
        for source, data in self._process.output(self._signals.reader):
            if source == "stdout":
                for event in reader.feed(data):
                    self._take(event)
            elif source == "stderr":
                self._take_stderr(data)
            else:
                self._followers.tick()
            if self._signals.received:
                self._stop(Ending.CANCELED)
            elif time.time() >= self._deadline:
                self._stop(Ending.OUT_OF_TIME)
            elif time.monotonic() >= self._lingers_from + LINGERING_SECONDS:
                self._process.stop()
        for event in reader.close():
            self._take(event)
        self._take_stderr(b"\n")
        if self._stopped:
            self.ending = self._stopped
        elif self._has_started or self.end:
            self.ending = ending_of(self.end)

    def _take(self, event: Event) -> None:
        if isinstance(event, SessionStart):
            self._has_started = True
            if event.servers.get(SERVER_NAME) != "connected":
                self._stop(Ending.NO_TOOLS)
        elif isinstance(event, SessionEnd):
            self.end, self._lingers_from = event, time.monotonic()
        self._refused_keys = self._refused_keys + 1 if isinstance(event, ApiRetry) and event.status == 401 else 0
        self._followers.event(event)
        if self._refused_keys >= REFUSED_KEYS:
            self._stop(Ending.SIGN_IN_FAILED)

    def _stop(self, ending: Ending) -> None:
        """Stop Claude Code, unless it ended by itself before."""
        if self.end is None:
            self._stopped = self._stopped or ending
        self._process.stop()

    def _take_stderr(self, data: bytes) -> None:
        *lines, self._stderr = (self._stderr + data).split(b"\n")
        self._stderr = self._stderr[:STDERR_LINE_BYTES]
        for line in lines:
            if text := line[:STDERR_LINE_BYTES].decode("utf-8", "replace").strip():
                self.last_warning = text
                self._stderr_lines += 1
                if self._stderr_lines <= STDERR_LINES:
                    self._followers.warning(text)
