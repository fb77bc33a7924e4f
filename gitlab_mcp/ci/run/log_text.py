"""Text of others for a job's log: it cannot move the cursor, open or close a section, or give a command to a runner."""

import re

from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import plain

LINE_LENGTH = 400
# https://docs.gitlab.com/ci/jobs/job_logs/#create-custom-collapsible-sections
MARKER = re.compile(r"section_(start|end):(?=\d)")
# Commands of other systems to their runners, which scripts that read logs know: ::error::, ##[error], ##vso[...].
LINE_COMMAND = re.compile(r"^(\s*):(?=:)")
COMMAND = re.compile(r"##(?=\w*\[)")


def log_text_lines(text: str, secrets: tuple[str, ...] = (), characters: int = LINE_LENGTH) -> list[str]:
    """The lines of `text`, without secrets and control characters, each of at most `characters`."""
    return [_line(line, characters) for line in redact(plain(redact(text, secrets)), secrets).strip("\n").split("\n")]


def log_text_line(text: str, secrets: tuple[str, ...] = (), characters: int = LINE_LENGTH) -> str:
    """The same on one line."""
    return _line(" ".join(" ".join(log_text_lines(text, secrets, len(text))).split()), characters)


def shortened(lines: list[str], first: int, last: int) -> list[str]:
    """`lines`, with a remark in place of those between the `first` and the `last` ones."""
    between = len(lines) - first - last
    return lines if between <= 1 else [*lines[:first], f"… {between:,} more lines …", *lines[len(lines) - last :]]


def _line(line: str, characters: int) -> str:
    line = COMMAND.sub("# #", LINE_COMMAND.sub(r"\1: ", MARKER.sub(r"section_\1 :", line.rstrip())))
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
