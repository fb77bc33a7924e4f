"""The clients, with their packages and versions, and how each takes its journey through a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox
from tests.foreign_clients import gitbeaker, glab, jmrplens, journey, mcp_gitlab, zereight


@dataclass(frozen=True)
class Client:
    """A client: the package index that it is installed from, its packages, and its journey.

    The packages of Debian are not installed: their programs are looked for on PATH.

    The journey gets a sandbox and the folder with the packages, and returns what was wrong.
    """

    index: str  # npm, pypi or debian
    packages: tuple[str, ...]
    take: Callable[[Sandbox, Path], list[str]]


def _mcp(server: journey.Server) -> Callable[[Sandbox, Path], list[str]]:
    return lambda sandbox, folder: journey.run(sandbox, server, folder)


CLIENTS = {
    "gitbeaker": Client("npm", ("@gitbeaker/rest@43.8.0",), gitbeaker.run),
    "glab": Client("debian", ("glab",), glab.run),
    "zereight": Client("npm", ("@zereight/mcp-gitlab@2.1.64",), _mcp(zereight.SERVER)),
    "mcp-gitlab": Client("pypi", ("mcp-gitlab==0.21.2",), _mcp(mcp_gitlab.SERVER)),
    "jmrplens": Client("pypi", ("jmrplens-gitlab-mcp-server==3.3.0",), _mcp(jmrplens.SERVER)),
}


def problems(name: str, folder: Path) -> list[str]:
    """Take a client's journey through a new sandbox, which has a failed pipeline; returns what was wrong."""
    with Sandbox(fault_injection=True) as sandbox:
        sandbox.fail_pipeline("stale/no-commits")
        sandbox.faults.clear_requests()
        return CLIENTS[name].take(sandbox, folder)
