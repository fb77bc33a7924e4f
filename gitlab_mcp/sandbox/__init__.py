"""A small GitLab for tests and demonstrations: REST v4 and git over HTTP, with real git repositories behind it.

It imports nothing of the MCP server that is tested against it: the two meet over HTTP and git, as with a real GitLab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitlab_mcp.sandbox.http.errors import SandboxError
    from gitlab_mcp.sandbox.http.server import Sandbox

__all__ = ["Sandbox", "SandboxError"]


def __getattr__(name: str) -> Any:
    # Imported only when needed, so that importing this package (as the command line does for its help) costs nothing.
    if name == "Sandbox":
        from gitlab_mcp.sandbox.http.server import Sandbox

        return Sandbox
    if name == "SandboxError":
        from gitlab_mcp.sandbox.http.errors import SandboxError

        return SandboxError
    raise AttributeError(name)
