"""The releases and the wiki of acme/app."""

from __future__ import annotations

from gitlab_mcp.sandbox.seed.issues import at
from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state.model import Project, Release
from gitlab_mcp.sandbox.state.world import World

_WIKI = {
    "home": "# app\n\nHow we work: see [[Release-process]].\n",
    "Release-process": "1. Close the milestone.\n2. Run `scripts/release.sh`.\n3. Write the notes.\n",
    "adr/0001-yaml-only": "We read YAML only. Decided by @maintainer.\n",
}


def populate(world: World, project: Project) -> None:
    """Add the releases and the wiki."""
    maintainer = person(world, "maintainer")
    for tag, when, notes in (
        ("v1.2.0", at(7, 1), "- the option `--config`\n"),
        ("v1.3.0", at(9, 2), "- comments in configuration files\n- `--help` in German is next\n"),
    ):
        project.releases.append(Release(tag, f"Version {tag[1:]}", notes, maintainer, when))
    project.settings |= {"wiki_access_level": "enabled", "wiki_enabled": True}
    project.wiki.update(_WIKI)
