"""A job of the sandbox's project."""

from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import job_environment
from tests.support.paths import REPOSITORY


@pytest.fixture
def job(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The environment of a job with a home of its own and an empty checkout."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    return job_environment(sandbox, work, HOME=str(home), CI_DEFAULT_BRANCH="main", PYTHONPATH=str(REPOSITORY))
