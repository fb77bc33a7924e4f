"""Setup that was killed after a write: run again, it ends where an undisturbed run does, with nothing twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.proofs.fault_proxy import FaultProxy, fault_proxy
from tests.support.gitlab_requests import get, writes
from tests.support.machine import default_signals, needs_proc
from tests.support.setup_command import KEY, Maintainer, made_secrets, stored, things_of

# The last write that takes effect before the command is killed, by its number: the first one only checks a text.
KILLED_AFTER = {"the key": 2, "the token": 4, "its variable": 5, "the first file": 6, "the commit": 8, "all": 9}


@pytest.fixture
def proxy(fresh_sandbox: Sandbox, maintainer: Maintainer) -> Iterator[FaultProxy]:
    with fault_proxy(fresh_sandbox.url) as proxy:
        maintainer.environ["GITLAB_URL"] = proxy.url  # what setup keeps on this machine is kept for each GitLab
        yield proxy


def command(maintainer: Maintainer) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gitlab_mcp", "setup", "--yes"],
        env=maintainer.complete_environ,
        cwd=maintainer.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=default_signals,
    )


@pytest.mark.parametrize("after", KILLED_AFTER.values(), ids=KILLED_AFTER)
def test_killed_after_a_write_and_run_again_it_converges(maintainer: Maintainer, proxy: FaultProxy, after: int) -> None:
    sandbox = maintainer.sandbox
    before = things_of(sandbox)
    sandbox.faults.clear()
    with command(maintainer) as running:

        def kill(_path: str, body: bytes) -> bytes:
            """Let the write take effect, and kill the command before it has the response."""
            if len(writes(sandbox)) >= after:
                running.kill()
            return body

        proxy.rewrite = kill
        running.wait(120)
    assert running.returncode == -signal.SIGKILL
    report = maintainer.sets_up()
    assert report.code == 0, report.output
    is_complete(maintainer)
    if after == KILLED_AFTER["its variable"]:
        assert maintainer.sets_up("--undo").code == 0
        assert things_of(sandbox) == before


def is_complete(maintainer: Maintainer) -> None:
    """Check that everything of a setup is there, once."""
    sandbox = maintainer.sandbox
    things = things_of(sandbox)
    assert things["push"] is True
    assert things["variables"] == ["ANTHROPIC_API_KEY", "GITLAB_ACCESS_TOKEN"]
    assert things["tokens"] == ["Claude"]
    assert [name for name in things["merge_requests"] if "setup" in name] == ["gitlab-mcp-server-setup"]
    [package] = get(sandbox, "/packages")
    files = [row["file_name"] for row in get(sandbox, f"/packages/{package['id']}/package_files")]
    assert len(files) == len(set(files)) == 2
    values = stored(sandbox)
    [token] = get(sandbox, "/access_tokens?state=active")
    assert values["ANTHROPIC_API_KEY"] == KEY
    assert sandbox.world.tokens[values["GITLAB_ACCESS_TOKEN"]].id == token["id"]


def test_a_signal_ends_it_without_a_traceback(maintainer: Maintainer, proxy: FaultProxy) -> None:
    maintainer.sandbox.faults.clear()
    with command(maintainer) as running:

        def end(_path: str, body: bytes) -> bytes:
            if len(writes(maintainer.sandbox)) == 3:
                running.send_signal(signal.SIGTERM)
            return body

        proxy.rewrite = end
        output, _ = running.communicate(timeout=120)
    assert "Traceback" not in output
    assert maintainer.sets_up().code == 0
    is_complete(maintainer)


@needs_proc
def test_no_secret_is_on_the_command_line_of_any_process(maintainer: Maintainer, proxy: FaultProxy) -> None:
    seen: list[str] = []

    def look(_path: str, body: bytes) -> bytes:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(process.read_bytes().decode("utf-8", "replace"))
            except OSError:
                continue
        return body

    proxy.rewrite = look
    with command(maintainer) as running:
        output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    secrets = [KEY, maintainer.sandbox.tokens["maintainer"], *made_secrets(maintainer.sandbox)]
    assert len(secrets) > 2
    assert any("gitlab_mcp\0setup" in line for line in seen)
    assert [secret for secret in secrets if any(secret in line for line in [*seen, output])] == []


def test_no_secret_is_in_the_merge_request_or_its_files(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    sandbox = maintainer.sandbox
    secrets = [KEY, *made_secrets(sandbox), *sandbox.tokens.values()]
    [request] = [row for row in get(sandbox, "/merge_requests?state=opened") if "setup" in row["source_branch"]]
    changes = get(sandbox, f"/merge_requests/{request['iid']}/diffs?per_page=100")
    text = repr((request, changes, get(sandbox, f"/repository/commits/{request['sha']}")))
    assert [secret for secret in secrets if secret in text] == []
    assert str(maintainer.home) not in text
