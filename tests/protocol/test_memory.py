"""How much memory the server takes: VmRSS in MB of 2^20. The bounds are those of issue 16, set with Python 3.11."""

import sys
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.protocol.process import ServerProcess, environment, server
from tests.support.seed import SEED

AFTER_THE_LIST = 84
AFTER_1000_CALLS = 88
AFTER_80_CALLS_IN_PARALLEL = 95
CALLS = [
    ("get_issue", {"iid": str(SEED.crash_issue.iid)}),
    ("list_issues", {}),
    ("list_branches", {}),
    ("get_file", {"path": "README.md"}),
    ("list_files", {}),
]


def resident(child: ServerProcess) -> float:
    """The memory of a process that is not swapped out, in MB."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def call(child: ServerProcess, number: int) -> None:
    """Call the tool number `number` of CALLS, which begin again after the last."""
    name, arguments = CALLS[number % len(CALLS)]
    child.call(name, **arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
async def test_memory_stays_within_the_bounds_of_a_small_server(sandbox: Sandbox) -> None:
    async with server(environment(sandbox.url, sandbox.tokens["maintainer"])) as child:
        await child.initialize()
        child.send("tools/list")
        await child.read()
        call(child, 0)  # its answer says that the start is over, with all that is done in the background
        assert "Crash" in str((await child.read())["result"])
        assert resident(child) < AFTER_THE_LIST
        for number in range(1000):
            call(child, number)
            assert not (await child.read())["result"].get("isError")
        assert resident(child) < AFTER_1000_CALLS
        for _ in range(5):
            for number in range(16):
                call(child, number)
            for _ in range(16):
                assert not (await child.read())["result"].get("isError")
        assert resident(child) < AFTER_80_CALLS_IN_PARALLEL
