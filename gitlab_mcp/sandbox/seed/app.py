"""The project acme/app: its members, its issues and a merge request in review."""

from __future__ import annotations

from datetime import date

from gitlab_mcp.sandbox.seed import app_files, hostile_text, releases_and_wiki, uploads
from gitlab_mcp.sandbox.seed.issues import add_issue, add_labels, at, close, minutes, say
from gitlab_mcp.sandbox.seed.people import GROUP, add_members, person
from gitlab_mcp.sandbox.state import todos
from gitlab_mcp.sandbox.state.model import DiffVersion, Issuable, Issue, MergeRequest, Milestone, Project
from gitlab_mcp.sandbox.state.users import MAINTAINER as MAINTAINER_ROLE
from gitlab_mcp.sandbox.state.world import World

_LABELS = {
    "bug": ("#d9534f", "Something is wrong"),
    "docs": ("#5cb85c", "Words, not code"),
    "feature": ("#428bca", "Something new"),
    "p1": ("#ff0000", "Now"),
    "p2": ("#f0ad4e", "Soon"),
    "needs discussion": ("#9400d3", "Not decided yet"),
}
_CRASH = """`app --config empty.yml` ends with a traceback:

```
  File "src/app/config.py", line 11, in load_config
    if lines[0].startswith("#!"):
IndexError: list index out of range
```

Expected: a message that says the file is empty.

- [ ] a test
- [ ] the message
"""


def populate(world: World) -> Project:
    """Create the project with its content."""
    project = world.create_project(GROUP, "app", "app", person(world, "maintainer"), created_at=at(1, 12, 9))
    project.description = "A small command line program."
    project.protected["main"] = MAINTAINER_ROLE
    project.settings["squash_option"] = "default_off"
    add_members(world, project)
    project.repository.create("main")
    app_files.write(project.repository)
    world.moved[f"{GROUP}/old-app"] = project.full_path
    add_labels(world, project, _LABELS)
    made = at(9, 1)
    milestone = Milestone(world.next_id("milestone"), 1, "1.4", made, made, "The next release", date(2027, 1, 31))
    project.milestones.append(milestone)
    _issues(world, project)
    _merge_request(world, project)
    releases_and_wiki.populate(world, project)
    uploads.populate(world, project)
    _todos(world, project)
    return project


def _todos(world: World, project: Project) -> None:
    """Create the to-do items that the seeded issues, merge requests and comments would have created."""
    targets: list[Issuable] = [*project.issues.values(), *project.merge_requests.values()]
    for target in targets:
        todos.new_issuable(world, target, target.author, target.created_at)
        for note in target.notes:
            todos.noted(world, target, note)


def _issues(world: World, project: Project) -> None:
    developer, reporter = person(world, "developer"), person(world, "reporter")
    milestone = project.milestones[0]
    add_issue(world, project, "maintainer", at(6, 10), "Plan the release 1.4", "What should be in it?", ("feature",))
    german = add_issue(
        world, project, "reporter", at(8, 20), "Document the options in German", "For our colleagues.", ("docs",)
    )
    say(world, german, "maintainer", at(8, 21), "Good idea, go ahead.")
    close(world, german, "reporter", at(9, 1, 12))
    add_issue(
        world,
        project,
        "developer",
        at(9, 15),
        "Say what is read with --verbose",
        "It is hard to see which file the app takes.",
        ("feature", "p2"),
        milestone=milestone,
        assignees=[developer],
    )
    add_issue(
        world,
        project,
        "maintainer",
        at(10, 2),
        "Rotate the deploy key",
        "The old key was on a lost laptop. Not public until it is changed.",
        ("p1",),
        confidential=True,
    )
    long_one = add_issue(
        world,
        project,
        "reporter",
        at(10, 5),
        "Which file formats should the app read?",
        "YAML only, or TOML and INI as well?",
        ("needs discussion",),
    )
    _long_discussion(world, long_one)
    slow = add_issue(world, project, "stranger", at(10, 20), hostile_text.TITLE, hostile_text.DESCRIPTION)
    say(world, slow, "stranger", at(10, 20, 11), hostile_text.COMMENT)
    crash = add_issue(
        world,
        project,
        "maintainer",
        at(11, 20, 9),
        "Crash when the config file is empty",
        _CRASH,
        ("bug", "p2"),
        milestone=milestone,
        assignees=[developer],
    )
    first = say(
        world, crash, "maintainer", at(11, 20, 9, 30), "Happens since 1.3.0. `load_config` takes the first line unseen."
    )
    say(world, crash, "developer", at(11, 20, 10), "I can look at it. Should an empty file be an error?", to=first)
    say(
        world,
        crash,
        "stranger",
        at(11, 21, 8),
        "Same here, with a file that holds only a comment I get no error at all.",
    )
    add_issue(
        world,
        project,
        "reporter",
        at(11, 21, 12),
        "Remove src/app/legacy.py",
        "Nothing imports it since 1.2.",
        (),
        assignees=[reporter],
    )


def _long_discussion(world: World, issue: Issue) -> None:
    people = ("developer", "maintainer", "reporter")
    start = at(10, 5, 12)
    for number in range(1, 46):
        format_ = ("YAML", "TOML", "INI")[number % 3]
        body = f"Thought {number}: {format_} would do for what we have."
        say(world, issue, people[number % 3], start + minutes(30 * number), body)


def _merge_request(world: World, project: Project) -> None:
    repository = project.repository
    head, base = repository.branch("feature/verbose-flag"), repository.branch("main")
    if head is None or base is None:
        raise LookupError("the seeded branches")
    developer, maintainer = person(world, "developer"), person(world, "maintainer")
    one = MergeRequest(
        id=world.next_id("merge_request"),
        iid=1,
        project=project,
        title="Add --verbose",
        author=developer,
        created_at=at(11, 3, 11),
        updated_at=at(11, 3, 11),
        description="Says which file is read.\n\nCloses #3",
        labels=[project.labels["feature"]],
        milestone=project.milestones[0],
        assignees=[developer],
        reviewers=[maintainer],
        source_branch="feature/verbose-flag",
        target_branch="main",
        remove_source_branch=True,
        versions=[DiffVersion(world.next_id("diff"), base, base, head, at(11, 3, 11))],
    )
    repository.keep("refs/merge-requests/1/head", head)
    project.merge_requests[1] = one
    say(world, one, "reporter", at(11, 3, 14), "Nice, I have been waiting for this.")
    shas = {"base_sha": base, "start_sha": base, "head_sha": head, "position_type": "text", "line_range": None}
    code, docs = "src/app/cli.py", "docs/usage.md"
    in_code = {**shas, "old_path": code, "new_path": code, "old_line": None, "new_line": 14}
    in_docs = {**shas, "old_path": docs, "new_path": docs, "old_line": None, "new_line": 6}
    review = say(
        world, one, "maintainer", at(11, 4, 9), "Please print this to stderr.", type="DiffNote", position=in_code
    )
    say(world, one, "developer", at(11, 4, 10), "Will do.", to=review, position=in_code)
    solved = say(
        world, one, "maintainer", at(11, 4, 9, 5), "A full stop is missing.", type="DiffNote", position=in_docs
    )
    solved.resolved, solved.resolved_by, solved.resolved_at = True, developer, at(11, 4, 10, 5)
    one.notes.sort(key=lambda note: (note.created_at, note.id))
