"""The other projects of the group: an empty one, an archived one and a private one."""

from __future__ import annotations

from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.seed.history import History
from gitlab_mcp.sandbox.seed.issues import add_issue, at
from gitlab_mcp.sandbox.seed.people import GROUP, add_members, person
from gitlab_mcp.sandbox.state.users import MAINTAINER, OWNER
from gitlab_mcp.sandbox.state.world import World


def populate(world: World) -> None:
    """Create the projects."""
    maintainer = person(world, "maintainer")
    empty = world.create_project(GROUP, "empty", "empty", maintainer, created_at=at(7, 1))
    add_members(world, empty)
    empty.protected["main"] = MAINTAINER
    empty.repository.create("main")
    empty.description = "Nothing was pushed here yet."

    archive = world.create_project(GROUP, "archive", "archive", maintainer, created_at=at(2, 1))
    add_members(world, archive)
    archive.protected["main"] = MAINTAINER
    archive.repository.create("main")
    archive.description = "The first attempt, kept to look things up."
    _one_file(archive.repository, "README.md", "# archive\n\nNo longer worked on.\n")
    add_issue(world, archive, "maintainer", at(2, 2), "Is this still needed?", "Only to look things up.")
    archive.archived = True

    private = world.create_project(GROUP, "private-notes", "private notes", maintainer, created_at=at(3, 1))
    private.visibility = "private"
    private.members[maintainer] = OWNER
    private.protected["main"] = MAINTAINER
    private.repository.create("main")
    _one_file(private.repository, "notes.md", "# Notes\n\nNobody else sees these.\n")
    add_issue(world, private, "maintainer", at(3, 2), "Call the supplier", "About the invoice.")


def _one_file(repository: Repository, path: str, content: str) -> None:
    history = History()
    history.commit("main", "maintainer", at(3, 1, 12), f"Add {path}\n", {path: content})
    history.write(repository)
