"""Text of others for a job's log: it cannot move the cursor, open or close a section, or give a command to a runner."""

import re
from collections.abc import Sequence

from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import plain

LOG_LINE = 400  # characters
# https://docs.gitlab.com/ci/jobs/job_logs/#create-custom-collapsible-sections
SECTION_MARKER = re.compile(r"section_(start|end):(?=\d)")
# Commands to the runners of other systems, which programs that read logs know: ::error::, ##[error], ##vso[...].
LINE_COMMAND = re.compile(r"^(\s*):(?=:)")
AZURE_COMMAND = re.compile(r"##(?=\w*\[)")


def log_line(text: str, secrets: tuple[str, ...] = (), characters: int = LOG_LINE) -> str:
    """`text` on one line of at most `characters`, without secrets and control characters, and neutralized."""
    text = redact(text, secrets)[: 10 * characters]
    line = redact(plain(text), secrets).replace("\n", " ").rstrip()
    line = AZURE_COMMAND.sub("# #", LINE_COMMAND.sub(r"\1: ", SECTION_MARKER.sub(r"section_\1 :", line)))
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


def shortened(lines: Sequence[str], first: int, last: int) -> list[str]:
    """`lines`, with a remark in place of those between the `first` and the `last` ones."""
    between = len(lines) - first - last
    return [*lines] if between <= 1 else [*lines[:first], f"… {between:,} more lines …", *lines[len(lines) - last :]]
