"""The uploads of acme/app: a screenshot, whose secret is the same in every run."""

from __future__ import annotations

import struct
import zlib

from gitlab_mcp.sandbox.seed.issues import at
from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state.model import Project, Upload
from gitlab_mcp.sandbox.state.world import World

_SECRET = "5f0f1f5a1b6c2d3e4f5a6b7c8d9e0f1a"  # noqa: S105  # of seed data


def populate(world: World, project: Project) -> None:
    """Add the screenshot."""
    developer = person(world, "developer")
    project.uploads.append(
        Upload(world.next_id("upload"), _SECRET, "screenshot.png", _png(320, 200), developer, at(11, 20))
    )


def _png(width: int, height: int) -> bytes:
    """A gray image of this many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
