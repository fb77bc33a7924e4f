"""A job in which a program stands for Claude Code."""

from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.claude_program import ClaudeJob, claude_job


@pytest.fixture
def claude(sandbox: Sandbox, tmp_path: Path) -> ClaudeJob:
    """A job with nothing but its CI_JOB_TOKEN."""
    return claude_job(sandbox, tmp_path)
