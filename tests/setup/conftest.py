"""Fixtures for the tests of setup."""

from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.setup_command import Maintainer


@pytest.fixture
def maintainer(fresh_sandbox: Sandbox, tmp_path: Path) -> Maintainer:
    """A maintainer of a project with nothing set up."""
    return Maintainer(tmp_path, fresh_sandbox)
