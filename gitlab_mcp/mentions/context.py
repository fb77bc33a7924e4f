"""What a pipeline is started with: its inputs where the project's CI declares them, else its variables."""

from collections.abc import Iterable
from dataclasses import dataclass

from gitlab_mcp.mentions.decision import Enqueue
from gitlab_mcp.mentions.screening import Candidate

CONTEXT_BYTES = 60_000  # of AI_FLOW_CONTEXT, in UTF-8; one variable of a process has at most 128 KiB on Linux
REQUEST_BYTES = 60_000  # of AI_FLOW_INPUT


@dataclass(frozen=True)
class ThreadNote:
    """A comment of the issue, merge request or commit, as GitLab's API shows it. `created_at` is in ISO 8601."""

    id: int
    author: str
    created_at: str
    text: str
    internal: bool = False
    system: bool = False


def pipeline_inputs(candidate: Candidate, tracking_note: int) -> dict[str, str]:
    """The inputs claude_noteable, claude_note, claude_tracking_note and claude_digest: ids and hashes only.

    `tracking_note` is the id of the note that the listener posted, 0 for none.
    """
    raise NotImplementedError


def pipeline_variables(
    candidate: Candidate, enqueue: Enqueue, tracking_note: int, notes: Iterable[ThreadNote] = ()
) -> dict[str, str]:
    """The variables AI_FLOW_* and GITLAB_MCP_* of the pipeline; those without a value are left out.

    `notes` are comments of the subject in any order; those newer than the event are left out, and so are internal ones
    unless the event is itself confidential.
    """
    raise NotImplementedError


def flow_context(candidate: Candidate, notes: Iterable[ThreadNote] = ()) -> str:
    """AI_FLOW_CONTEXT: a flat JSON object as GitLab's own flows send it, of at most CONTEXT_BYTES bytes of UTF-8.

    Title and description are those of the event. The oldest comments are left out first; the description is cut only
    where it alone is too long.
    """
    raise NotImplementedError
