"""The marker of a tracking note: an HTML comment at the start of its text, which GitLab does not show.

Only the run itself writes markers: `safety.escape.neutralize` removes them from every text that is sent, and the run
adds its own behind that. A marker therefore counts only in a note whose author is the user of the run.
"""

import re
from dataclasses import dataclass

ANY_MARKER = re.compile(r"(?is)<!--\s*gitlab-mcp-server\b.*?(?:-->|\Z)")
MARKER = re.compile(
    r"<!-- gitlab-mcp-server note run=(?P<run>[\w.-]{0,64}) mention=(?P<mention>\d{1,18}) state=(?P<state>open|ended) -->"
)


@dataclass(frozen=True)
class Marker:
    """What a marker says: the `run` that writes the note ("" before one took it), the id of the note that it answers
    (`mention`, 0 for none), and whether the run `ended`.
    """

    run: str = ""
    mention: int = 0
    ended: bool = False

    def __str__(self) -> str:
        state = "ended" if self.ended else "open"
        return f"<!-- gitlab-mcp-server note run={self.run} mention={self.mention} state={state} -->"

    def add_to(self, text: str) -> str:
        """`text` behind this marker, as it is sent."""
        return f"{self}\n{text}"


def marker_of(text: str) -> Marker | None:
    """The marker at the start of the text of a note; None where there is none."""
    match = MARKER.match(text)
    return Marker(match["run"], int(match["mention"]), match["state"] == "ended") if match else None


def without_markers(text: str) -> str:
    """`text` without anything that is, or could become, a marker."""
    while (removed := ANY_MARKER.sub("", text)) != text:  # what was around a marker can be one
        text = removed
    return text
