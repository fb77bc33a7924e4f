"""The command `listen` where it cannot begin: one sentence that says what to do, and exit code 2."""

import subprocess
import sys

import pytest

WITHOUT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == {missing!r} else find(name, *more)
sys.argv = ["gitlab-mcp-server", "listen"]
from gitlab_mcp.__main__ import run
run()
"""


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, env={}, check=False
    )


@pytest.mark.parametrize("missing", ["sqlalchemy", "standardwebhooks", "prometheus_client"])
def test_without_the_extra_one_sentence_says_what_to_install(missing: str) -> None:
    done = ended("-c", WITHOUT.format(missing=missing))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"gitlab-mcp-server: The packages of the extra listen are missing ({missing}): install")


def test_without_a_configuration_one_sentence_says_what_to_set() -> None:
    done = ended("-m", "gitlab_mcp", "listen")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "name a TOML file with --config, or set GITLAB_PROJECT" in done.stderr
