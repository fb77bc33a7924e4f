"""How long a large commit from the working directory takes, and how much memory: 1,000 files, and one of 50 MB.

scripts/large-commits runs it on each backend, `--rounds N` times, and checks what landed with plain git.
"""

import argparse
import asyncio
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox
from tests.protocol.process import environment, server
from tests.support.ci_job import allow_job_pushes, job_environment
from tests.support.git_clones import clone

FILES = {
    "1,000 files of 2 KB": [(f"many/{number:04}.txt", 2_000) for number in range(1000)],
    "one file of 50 MB": [("big.bin", 50_000_000)],
}
WAIT = 600.0


def write(work: Path, files: list[tuple[str, int]], seed: int) -> dict[str, str]:
    """Write random files below `work`; the digests of their contents by path."""
    chosen = random.Random(seed)  # noqa: S311  # the same files again for the same seed
    digests = {}
    for path, size in files:
        content = chosen.randbytes(size // 2).hex().encode() if size < 10_000 else chosen.randbytes(size)
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
        digests[path] = hashlib.sha256(content).hexdigest()
    return digests


def peak_megabytes(pid: int) -> int:
    """The most memory that a process had so far (VmHWM of proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) // 1000


async def commit(sandbox: Sandbox, backend: str, work: Path, branch: str) -> tuple[float, int]:
    """Commit all of the working directory by the real process; seconds, and megabytes at its peak."""
    env = job_environment(sandbox, work) if backend == "git" else environment(sandbox.url, sandbox.tokens["maintainer"])
    async with server(env, cwd=work) as child:
        await child.initialize()
        began = time.monotonic()
        child.call("commit_files", branch=branch, ref="main", message="A large commit", paths=["**"])
        async with asyncio.timeout(WAIT):
            assert child.process.stdout
            line = await child.process.stdout.readline()
        seconds = time.monotonic() - began
        assert b'"isError":false' in line, line[:2000]
        return seconds, peak_megabytes(child.process.pid)


def landed(sandbox: Sandbox, branch: str, digests: dict[str, str], folder: Path) -> bool:
    """Whether the branch holds the files, read with plain git."""
    tree = clone(sandbox, branch, folder)
    return all(hashlib.sha256((tree / path).read_bytes()).hexdigest() == digest for path, digest in digests.items())


def measure(rounds: int) -> int:
    """Measure and print; 0 when all landed as it was."""
    wrong = 0
    for what, files in FILES.items():
        for number in range(rounds):
            for backend in ("rest", "git"):
                with Sandbox() as sandbox, tempfile.TemporaryDirectory() as name:
                    allow_job_pushes(sandbox)
                    folder = Path(name)
                    work = clone(sandbox, "main", folder / "work")
                    remote = f"{sandbox.url}/{sandbox.project}.git"
                    subprocess.run(["git", "-C", str(work), "remote", "set-url", "origin", remote], check=True)
                    digests = write(work, files, number)
                    seconds, megabytes = asyncio.run(commit(sandbox, backend, work, "large"))
                    right = landed(sandbox, "large", digests, folder / "landed")
                    wrong += not right
                    said = "as it was on disk" if right else "NOT as it was on disk"
                    sys.stdout.write(f"{what}, {backend}: {seconds:.1f} s, {megabytes} MB at the peak, {said}\n")
                    sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    sys.exit(measure(parser.parse_args().rounds))
