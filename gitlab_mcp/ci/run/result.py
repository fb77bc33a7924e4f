"""The result of a run: the file claude-result.json, the dotenv report, and the table at the end of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import SessionEnd
from gitlab_mcp.render.progress import Progress


@dataclass(frozen=True)
class RunResult:
    """What a run did. `merge_request` is its iid, 0 for none. `uncommitted` are the files that only the checkout has."""

    ending: Ending
    seconds: float
    session_id: str = ""
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    branch: str = ""
    merge_request: int = 0
    uncommitted: Sequence[str] = ()
    denied: Sequence[str] = ()
    detail: str = ""
    """What Claude Code or this command said of a failure, on one line; "" where nothing is known."""

    def json(self) -> str:
        """The content of claude-result.json."""
        raise NotImplementedError

    def dotenv(self) -> str:
        """The content of the dotenv report: a line CLAUDE_NAME=value for each field, always the same names."""
        raise NotImplementedError

    def table(self) -> list[str]:
        """The lines of the table at the end of the log."""
        raise NotImplementedError


def run_result(
    ending: Ending, seconds: float, end: SessionEnd | None, progress: Progress, detail: str = ""
) -> RunResult:
    """The result of a run; `end` is the last event, None where Claude Code was stopped before it."""
    raise NotImplementedError
