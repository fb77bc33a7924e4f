"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from gitlab_mcp.sandbox import Sandbox

settings.register_profile("no deadline", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("no deadline")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A GitLab for all tests of a module: each of them works on branches and titles of its own."""
    with Sandbox(fault_injection=True) as running:
        yield running


@pytest.fixture
def fresh_sandbox() -> Iterator[Sandbox]:
    """A GitLab for one test, exactly as seeded."""
    with Sandbox(fault_injection=True) as running:
        yield running


@pytest.fixture(autouse=True)
def without_earlier_faults(request: pytest.FixtureRequest) -> None:
    """Remove the faults and the recorded requests that earlier tests left in the sandbox of their module."""
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").faults.clear()
