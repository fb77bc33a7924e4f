"""The result of a run: the file claude-result.json, the dotenv report, and the table at the end of the log."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import SessionEnd
from gitlab_mcp.render.markdown import count
from gitlab_mcp.render.progress import NAMED_FILES, Progress, dollars, elapsed
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line

# GitLab expands variables such as $NAME in the values of a dotenv report, and a shell may read them. A value with other
# characters is left empty. (app/services/ci/parse_dotenv_artifact_service.rb stores them with raw: false.)
DOTENV_VALUE = re.compile(r"[\w./:+@!#-]*", re.ASCII)


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    `merge_request` is an iid, 0 for none. `uncommitted` are the files that were edited and not committed, `denied` the
    tools that were refused. `detail` is what is known of a failure beyond its ending.
    """

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
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return self.ending.exit_code

    def json(self) -> str:
        """The content of claude-result.json."""
        content = {
            "ending": str(self.ending),
            "exit_code": self.exit_code,
            "reason": self.ending.reason,
            "detail": self._shown(self.detail),
            "session_id": self._shown(self.session_id),
            "turns": self.turns,
            "duration_seconds": round(self.seconds, 1),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": round(self.cost_usd, 6),
            "branch": self._shown(self.branch),
            "merge_request": self.merge_request or None,
            "uncommitted": [self._shown(path) for path in self.uncommitted],
            "denied_tools": [self._shown(tool) for tool in self.denied],
        }
        return f"{json.dumps(content, indent=2, ensure_ascii=False)}\n"

    def dotenv(self) -> str:
        """The content of the dotenv report: a line CLAUDE_NAME=value for each field, always the same names."""
        values = {
            "ENDING": str(self.ending),
            "EXIT_CODE": str(self.exit_code),
            "SESSION_ID": self._shown(self.session_id),
            "TURNS": str(self.turns),
            "DURATION_SECONDS": f"{self.seconds:.0f}",
            "INPUT_TOKENS": str(self.input_tokens),
            "OUTPUT_TOKENS": str(self.output_tokens),
            "COST_USD": f"{self.cost_usd:.4f}",
            "BRANCH": self._shown(self.branch),
            "MERGE_REQUEST": str(self.merge_request or ""),
        }
        return "".join(
            f"CLAUDE_{name}={value if DOTENV_VALUE.fullmatch(value) else ''}\n" for name, value in values.items()
        )

    def table(self, *, confidential: bool = False) -> list[str]:
        """The rows of the table at the end of the log: names, padded, and values.

        For a confidential run they have nothing that the model wrote.
        """
        names = ", ".join([*map(self._shown, self.uncommitted[:NAMED_FILES]), *(["…"] * self._has_more_files)])
        written = {
            "Detail": self._shown(self.detail) if self.ending.reason else "",
            "Branch": self._shown(self.branch),
            "Merge request": f"!{self.merge_request}" if self.merge_request else "",
            "Not committed": f"{count(len(self.uncommitted), 'file')}: {names}" if names else "",
            "Refused tools": ", ".join(map(self._shown, self.denied)),
        }
        rows = {
            "Result": str(self.ending).replace("_", " "),
            "Why": self.ending.reason,
            "What to do": self.ending.remedy,
            "Duration": elapsed(self.seconds),
            "Turns": str(self.turns or ""),
            "Tokens": f"{self.input_tokens:,} in, {self.output_tokens:,} out" if self.turns else "",
            "Cost": dollars(self.cost_usd),
            **({} if confidential else written),
            "Session": self._shown(self.session_id),
        }
        return [f"{name:15}{value}" for name, value in rows.items() if value]

    @property
    def _has_more_files(self) -> bool:
        return len(self.uncommitted) > NAMED_FILES

    def _shown(self, text: str) -> str:
        return one_line(redact(text, self.secrets), 500)


def run_result(
    ending: Ending,
    seconds: float,
    end: SessionEnd | None,
    progress: Progress,
    detail: str = "",
    *,
    secrets: tuple[str, ...] = (),
) -> RunResult:
    """The result of a run; `end` is the last event, None where Claude Code was stopped before it."""
    end = end or SessionEnd()
    return RunResult(
        ending=ending,
        seconds=seconds,
        session_id=end.session_id,
        turns=end.turns,
        input_tokens=end.input_tokens,
        output_tokens=end.output_tokens,
        cost_usd=end.cost_usd,
        branch=progress.branch,
        merge_request=progress.merge_request,
        uncommitted=progress.uncommitted,
        denied=end.denied,
        detail=detail or (end.text if end.is_error else ""),
        secrets=secrets,
    )
