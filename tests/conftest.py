"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from gitlab_mcp.sandbox import Sandbox

# How long an example takes says how busy the machine is. The examples are the same in each run, so that a run fails
# only because of a change; --hypothesis-profile=explore looks for others.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")


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
