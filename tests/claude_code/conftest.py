"""Fixtures for the tests of Claude Code's configuration."""

from pathlib import Path

import pytest

from tests.support.local_machine import LocalMachine


@pytest.fixture
def local(tmp_path: Path) -> LocalMachine:
    return LocalMachine(tmp_path)
