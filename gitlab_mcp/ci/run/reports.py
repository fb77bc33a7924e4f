"""The files that a job keeps of a run: claude-result.json as an artifact, and the dotenv report."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from gitlab_mcp.ci.run.result import RunResult

RESULT_FILE, DOTENV_FILE = "claude-result.json", "claude-result.env"


def write_reports(folder: Path, result: RunResult) -> str:
    """Write both files into the checkout; returns why one could not be written, "" where both were."""
    for name, content in ((RESULT_FILE, result.json()), (DOTENV_FILE, result.dotenv())):
        try:
            _replace(folder / name, content)
        except OSError as error:
            return f"{name} could not be written: {error.strerror}."
    return ""


def _replace(path: Path, content: str) -> None:
    """Write a file in place of what is there: a link that the checkout or the agent put there is not followed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".claude-result-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
