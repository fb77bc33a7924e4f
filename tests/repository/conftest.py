"""Fixtures for the tests of the repository."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.backends import BACKENDS
from tests.support.ci_job import allow_job_pushes


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, sandbox: Sandbox) -> str:
    """Each backend in turn; the job token may push."""
    allow_job_pushes(sandbox)
    sandbox.faults.clear_requests()
    return str(request.param)
