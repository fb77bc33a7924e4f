"""A project with a copy of a local repository, and issues that fit any project."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from gitlab_mcp.sandbox.git.clone import copy
from gitlab_mcp.sandbox.seed import hostile_text
from gitlab_mcp.sandbox.seed.issues import add_issue, add_labels, at, say
from gitlab_mcp.sandbox.seed.people import GROUP, add_members, person
from gitlab_mcp.sandbox.state.model import Milestone, Project
from gitlab_mcp.sandbox.state.project_paths import free_path, slug
from gitlab_mcp.sandbox.state.users import MAINTAINER
from gitlab_mcp.sandbox.state.world import World

_LABELS = {
    "bug": ("#d9534f", "Something is wrong"),
    "docs": ("#5cb85c", "Words, not code"),
    "feature": ("#428bca", "Something new"),
    "p2": ("#f0ad4e", "Soon"),
}


def populate(world: World, repo: Path) -> Project:
    """Create the project; raises SandboxError if the path is not a git repository."""
    path = repo.expanduser().resolve()
    name = path.name.removesuffix(".git") if path.name != ".git" else path.parent.name
    # A directory name may be bytes that are not valid UTF-8; a project name may not.
    name = name.encode("utf-8", "replace").decode("utf-8").strip() or "project"
    created = at(11, 1)
    project = world.create_project(
        GROUP, free_path(world, GROUP, slug(name)), name, person(world, "maintainer"), created_at=created
    )
    copy(project.repository, path)
    project.description = f"A copy of {name}."
    project.visibility = "private"
    project.protected[project.repository.default_branch] = MAINTAINER
    add_members(world, project)
    add_labels(world, project, _LABELS)
    milestone = Milestone(world.next_id("milestone"), 1, "Next", created, created, "", date(2027, 1, 31))
    project.milestones.append(milestone)
    _issues(world, project)
    return project


def _issues(world: World, project: Project) -> None:
    developer = person(world, "developer")
    first = add_issue(
        world,
        project,
        "maintainer",
        at(11, 20, 9),
        "Say who maintains this project",
        "Somebody who finds this repository cannot see whom to ask.\n\n"
        "Expected: a file MAINTAINERS.md that says who looks after it.",
        ("docs", "p2"),
        milestone=project.milestones[0],
        assignees=[developer],
    )
    note = say(world, first, "developer", at(11, 20, 10), "One file at the top should do. Names, or a team?")
    say(world, first, "maintainer", at(11, 20, 11), "A team is enough, people change.", to=note)
    add_issue(
        world, project, "reporter", at(11, 20, 12), "Describe how to run the tests", "I could not find out.", ("docs",)
    )
    add_issue(
        world,
        project,
        "maintainer",
        at(11, 20, 13),
        "Rotate the deploy key",
        "Not public until it is changed.",
        ("bug",),
        confidential=True,
    )
    slow = add_issue(world, project, "stranger", at(11, 21, 9), hostile_text.TITLE, hostile_text.DESCRIPTION)
    say(world, slow, "stranger", at(11, 21, 10), hostile_text.COMMENT)
