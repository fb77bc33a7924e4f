"""The plan of a change for an issue: the files to commit, and the texts about them."""

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
    """A new file: its path and content."""

    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    """A change of a text file: `old` is replaced by `new`; where `old` is empty, `new` is appended."""

    path: str
    old: str
    new: str

    def apply_to(self, text: str) -> str:
        """`text` with the change applied."""
        if self.old:
            return text.replace(self.old, self.new)
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{self.new}"


@dataclass(frozen=True)
class Plan:
    """A change for the issue with iid `issue`: a new file and, where possible, a changed and a deleted one.

    `globs`, where not empty, match exactly these files among those that were edited.
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
        """Each path with git's status letter: A, M or D."""
        changes = {(self.created.path, "A")}
        changes |= {(self.changed.path, "M")} if self.changed else set()
        return changes | ({(self.deleted, "D")} if self.deleted else set())

    @property
    def summary(self) -> str:
        """The number of files and what happens to them, in words."""
        if len(self.changes) == 1:
            return "one new file"
        kinds = ["one new", *(["one changed"] if self.changed else []), *(["one deleted"] if self.deleted else [])]
        return f"{'two' if len(kinds) == 2 else 'three'} files: {', '.join(kinds)}"

    @property
    def message(self) -> str:
        """The commit message."""
        return f"{self.title}\n\nSee issue {self.issue}."

    @property
    def description(self) -> str:
        """The description of the merge request."""
        return f"Adds `{self.created.path}`.\n\nCloses #{self.issue}"

    @property
    def notes(self) -> dict[str, str]:
        """The notes for the issue and for the merge request."""
        return {
            "issue": "I opened a merge request that does this.",
            "merge request": f"It has {self.summary}; please have a look.",
        }


def fix(issue: str) -> Plan:
    """The plan for the issue in the sandbox's seed data."""
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
    issue: str,
    paths: Collection[str],
    is_text: Callable[[str], Awaitable[bool]],
    taken: Callable[[str], bool],
) -> Plan:
    """A plan that suits any repository, and deletes none of its files.

    `paths` are files that may be changed; `taken` returns whether a name exists already.
    """
    name = next(
        name for name in ("MAINTAINERS.md", "MAINTAINERS-OF-THIS.md", f"MAINTAINERS-{issue}.md") if not taken(name)
    )
    changed = None
    for path in sorted(paths, key=lambda path: ("readme" not in path.lower(), path.count("/")))[:20]:
        if await is_text(path):
            changed = Edit(path, "", f"\nSee {name} for who maintains this.\n")
            break
    created = PlannedFile(name, "# Maintainers\n\n- maintainer\n")
    return Plan(issue, MAINTAINERS, f"{issue}-maintainers", created, changed)
