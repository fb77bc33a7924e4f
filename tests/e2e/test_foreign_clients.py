"""GitLab clients of other people, doing ordinary work on the sandbox; scripts/foreign-clients runs more of them."""

from __future__ import annotations

import shutil

import pytest

from tests.foreign_clients.clients import CLIENTS, problems
from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / ".venv" / "clients"


@pytest.mark.parametrize("name", ["gitbeaker", "zereight"])
def test_a_foreign_client_finds_nothing_wrong(name: str) -> None:
    package = CLIENTS[name].packages[0].rpartition("@")[0]
    if not (FOLDER / "node_modules" / package).exists():
        pytest.skip(f"{package} is not installed; .ci/run installs it")
    assert problems(name, FOLDER) == []


@pytest.mark.skipif(shutil.which("glab") is None, reason="glab is not on PATH")
def test_gitlabs_own_command_line_finds_nothing_wrong() -> None:
    assert problems("glab", FOLDER) == []


def test_ci_installs_the_versions_that_the_script_installs() -> None:
    wanted = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    for client in (CLIENTS["gitbeaker"], CLIENTS["zereight"]):
        assert all(package in wanted for package in client.packages)
