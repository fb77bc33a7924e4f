"""Fixtures for the tests of the listener."""

from collections.abc import Iterator

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.listener import Listener, configure_ci, environ_of, listening, new_trigger_token, write_config

NO_LIMITS = "hourly_per_person = 10000\nhourly_per_project = 10000\n"


@pytest.fixture(scope="module")
def gitlab(sandbox: Sandbox) -> Sandbox:
    """The GitLab of a module, whose default branch has a job for mentions, and that takes variables of maintainers."""
    configure_ci(sandbox)
    return sandbox


@pytest.fixture(scope="module")
def listener(gitlab: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """A listener for all tests of a module, without limits of runs."""
    config = write_config(tmp_path_factory.mktemp("listener"), gitlab, project=NO_LIMITS)
    with listening(config, environ_of(gitlab, new_trigger_token(gitlab))) as running:
        yield running
