"""Fixtures for the tests of git's modules."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gitlab_mcp.git.process import until
from gitlab_mcp.git.remote import Remote
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.git.session import GitSession


@pytest.fixture(scope="module")
def session() -> Iterator[GitSession]:
    """Git in a scratch repository that never contacts GitLab."""
    with closing(ScratchRepository(Remote("http://127.0.0.1:1/none.git", "token"))) as scratch:
        yield GitSession(scratch, until(3600))
