"""What is to be committed for an issue."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

FIX = "Crash when the config file is empty"
MAINTAINERS = "Say who maintains this project"
TEST = """from pathlib import Path

from app.config import load_config


def test_an_empty_file_is_an_empty_configuration(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.touch()
    assert load_config(path) == {}
"""


@dataclass(frozen=True)
class PlannedFile:
    """A path and the content that it is given."""

    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    """A change of a text: `old` becomes `new`, which goes to the end where there is no `old`."""

    path: str
    old: str
    new: str

    def of(self, text: str) -> str:
        """The text with the change made."""
        if self.old:
            return text.replace(self.old, self.new)
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{self.new}"


@dataclass(frozen=True)
class Plan:
    """A change for `issue`: a new file, and, where the repository has files for it, a changed and a deleted one.

    `globs` match all of it and nothing else that was edited.
    """

    issue: str
    title: str
    branch: str
    created: PlannedFile
    changed: Edit | None = None
    deleted: str = ""
    globs: tuple[str, ...] = ()

    @property
    def changes(self) -> set[tuple[str, str]]:
        """Each path with git's letter for what happens to it."""
        found = {(self.created.path, "A")}
        found |= {(self.changed.path, "M")} if self.changed else set()
        return found | ({(self.deleted, "D")} if self.deleted else set())

    @property
    def summary(self) -> str:
        """How many files, and what happens to them."""
        if len(self.changes) == 1:
            return "one new file"
        kinds = ["one new", *(["one changed"] if self.changed else []), *(["one deleted"] if self.deleted else [])]
        return f"{'two' if len(kinds) == 2 else 'three'} files: {', '.join(kinds)}"

    @property
    def message(self) -> str:
        """The message of the commit."""
        return f"{self.title}\n\nSee issue {self.issue}."

    @property
    def description(self) -> str:
        """The description of the merge request."""
        return f"Adds `{self.created.path}`.\n\nCloses #{self.issue}"

    @property
    def notes(self) -> dict[str, str]:
        """What is said on the issue and on the merge request."""
        return {
            "issue": "I opened a merge request that does this.",
            "merge request": f"It has {self.summary}; please have a look.",
        }


def fix(issue: str) -> Plan:
    """What the seeded project's issue asks for."""
    return Plan(
        issue,
        "Handle an empty configuration file",
        f"{issue}-empty-config",
        PlannedFile("tests/test_empty_config.py", TEST),
        Edit("src/app/config.py", "if lines[0]", "if lines and lines[0]"),
        "src/app/legacy.py",
        ("src/**", "tests/**"),
    )


async def maintainers(
    issue: str, paths: Collection[str], is_text: Callable[[str], Awaitable[bool]], taken: Callable[[str], bool]
) -> Plan:
    """A change that any repository can take. `paths` may be changed and deleted; `taken` names are no new file's."""
    name = next(
        name for name in ("MAINTAINERS.md", "MAINTAINERS-OF-THIS.md", f"MAINTAINERS-{issue}.md") if not taken(name)
    )
    changed = None
    for path in sorted(paths, key=lambda path: ("readme" not in path.lower(), path.count("/")))[:20]:
        if await is_text(path):
            changed = Edit(path, "", f"\nSee {name} for who maintains this.\n")
            break
    others = [path for path in paths if changed is None or path != changed.path]
    # The last file of a repository stays.
    deleted = min(others, key=_obsolescence) if len(paths) > 1 else ""
    created = PlannedFile(name, "# Maintainers\n\n- maintainer\n")
    return Plan(issue, MAINTAINERS, f"{issue}-maintainers", created, changed, deleted)


def _obsolescence(path: str) -> tuple[bool, int, str]:
    """Orders files by how natural it is to delete them in a demonstration."""
    return not re.search(r"legacy|old|obsolete", path.lower()), -path.count("/"), path
