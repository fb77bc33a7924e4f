"""The reader of Claude Code's event stream: bytes in, typed events out, in bounded memory."""

from collections.abc import Iterator

from gitlab_mcp.claude_code.events import Event


class EventReader:
    """Reads the stream in pieces of any size. Lines that are not JSON or have no known event are skipped.

    `secrets` are values that no event must contain. `skipped` counts the lines that were skipped.
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        self.skipped = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events of the lines that `data` completes. The iterator must be used up before the next call."""
        raise NotImplementedError

    def close(self) -> Iterator[Event]:
        """The events of a last line without an end."""
        raise NotImplementedError
