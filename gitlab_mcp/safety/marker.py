"""The marker of a tracking note: an HTML comment at the start of its text, which GitLab does not show.

Only the run itself sends markers, as a MarkedText: `safety.escape.neutralize` removes them from every other text. A
marker counts only in a note whose author is the user of the run.
"""

import re
from dataclasses import dataclass

# Wider than what counts as a marker.
ANY_MARKER = re.compile(r"(?i)<!-- *gitlab-mcp-server +note\b[^\n>]*-->\n?")
MARKER = re.compile(
    r"<!-- gitlab-mcp-server note run=(?P<run>[\w.-]{0,64}) mention=(?P<mention>\d{1,18})"
    r" state=(?P<state>open|ended) -->(?:\n|\Z)",
    re.ASCII,
)


@dataclass(frozen=True)
class Marker:
    """What a marker says: which run writes the note, which note it answers, and whether the run has ended.

    `run` is "" before a run has taken the note, and `mention` is 0 where the run answers no note.
    """

    run: str = ""
    mention: int = 0
    ended: bool = False

    def __str__(self) -> str:
        state = "ended" if self.ended else "open"
        return f"<!-- gitlab-mcp-server note run={self.run} mention={self.mention} state={state} -->"


@dataclass(frozen=True)
class MarkedText:
    """A text that is sent with a marker before it."""

    marker: Marker
    text: str

    def __str__(self) -> str:
        return f"{self.marker}\n{self.text}"


def marker_of(text: str) -> Marker | None:
    """The marker at the start of the text of a note; None where there is none."""
    match = MARKER.match(text)
    return Marker(match["run"], int(match["mention"]), match["state"] == "ended") if match else None


def unmarked(text: str) -> str:
    """The text of a note without the marker at its start."""
    return MARKER.sub("", text, count=1) if MARKER.match(text) else text


def without_markers(text: str) -> str:
    """`text` without anything that is, or could become, a marker."""
    while (removed := ANY_MARKER.sub("", text)) != text:  # what is around a removed marker can be another one
        text = removed
    return text
