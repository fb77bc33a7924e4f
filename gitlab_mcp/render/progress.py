"""The text of the tracking note: what a run has done so far, what it does now, and how it ended."""

from collections.abc import Sequence

from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import Event, SessionEnd


class Progress:
    """What a run has done so far, in people's words, and what it made on GitLab.

    `job_url` is the link to the job, "" outside CI. All texts are Markdown without the note's marker, which the caller
    puts before them: the final answer is last, because it may end in an open code block.
    """

    def __init__(self, job_url: str = "", *, secrets: tuple[str, ...] = ()) -> None:
        self.branch = ""
        self.merge_request = 0
        raise NotImplementedError

    @property
    def uncommitted(self) -> Sequence[str]:
        """The files, relative to the checkout, that were edited and not committed since."""
        raise NotImplementedError

    def take(self, event: Event) -> bool:
        """Take an event; whether the text of the note changes by it."""
        raise NotImplementedError

    def working(self) -> str:
        """The note while the run goes on: the link to the job, the steps as check boxes, and what is being done now."""
        raise NotImplementedError

    def ended(self, ending: Ending, seconds: float, end: SessionEnd | None, detail: str = "") -> str:
        """The note at the end: a line such as `Done in 4m 12s · !12 · branch · job · 14 turns · $0.31`, and the answer.

        For a failure a sentence says why and how to try again; `detail` is what is known beyond the ending. What was
        edited and not committed is named.
        """
        raise NotImplementedError
