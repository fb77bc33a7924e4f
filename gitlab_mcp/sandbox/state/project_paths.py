"""Project paths, derived from project names."""

from __future__ import annotations

import re
import unicodedata

from gitlab_mcp.sandbox.state.world import World


def slug(name: str) -> str:
    """The path for a name: ASCII letters, digits and - . _ only, never empty, never ending in .git or .atom."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    path = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")
    path = re.sub(r"[-._]*\.(git|atom)$", "", path).strip("-._")
    return re.sub(r"([-._])[-._]+", r"\1", path)[:100].strip("-._") or "project"


def free_path(world: World, group: str, wanted: str) -> str:
    """The wanted path, with a number appended if a project of the group has or had that path."""
    path, number = wanted, 2
    while world.project_by_path(f"{group}/{path}") is not None or f"{group}/{path}" in world.moved:
        path, number = f"{wanted}-{number}", number + 1
    return path
