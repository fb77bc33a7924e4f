"""Fixtures that point python-gitlab's own functional tests at a sandbox; copied beside those tests as conftest.py."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import gitlab
import pytest


@pytest.fixture(scope="session")
def gitlab_url() -> str:
    return os.environ["SANDBOX_URL"]


@pytest.fixture(scope="session")
def gitlab_token() -> str:
    return os.environ["SANDBOX_TOKEN"]


@pytest.fixture(scope="session")
def gl(gitlab_url: str, gitlab_token: str) -> Iterator[gitlab.Gitlab]:
    with gitlab.Gitlab(gitlab_url, private_token=gitlab_token) as client:
        client.auth()
        yield client


@pytest.fixture(autouse=True, scope="session")
def no_pauses() -> Iterator[None]:
    """The tests pause for GitLab's background jobs, half a minute for each merge request; the sandbox has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda _seconds: None)
        yield
