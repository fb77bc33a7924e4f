"""The clone that an agent works in; it detects changes that the agent did not make."""

import hashlib
import os
from pathlib import Path

import click

from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.cli.demo.plan import Plan
from gitlab_mcp.safety.policy import GUARDED_FILES, normalized_path


class Clone:
    """A clone. `altered` has the paths that changed between two snapshots, other than by `edit` or `pull`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.altered: set[str] = set()
        self._snapshot = self._take_snapshot()

    def look(self) -> None:
        """Take a new snapshot, and add the paths that differ from the last one to `altered`."""
        now = self._take_snapshot()
        self.altered |= {path for path in {*now, *self._snapshot} if now.get(path) != self._snapshot.get(path)}
        self._snapshot = now

    def edit(self, plan: Plan) -> list[str]:
        """Edit the files on disk, as an agent does with its own tools; returns a line for each edit."""
        self.look()
        created = self.directory / plan.created.path
        created.parent.mkdir(parents=True, exist_ok=True)
        created.write_text(plan.created.content, encoding="utf-8")
        done = [f"wrote {plan.created.path}"]
        if plan.changed:
            changed = self.directory / plan.changed.path
            text = changed.read_bytes().decode("utf-8", "surrogateescape")
            changed.write_bytes(plan.changed.apply_to(text).encode("utf-8", "surrogateescape"))
            done.append(f"changed {plan.changed.path}")
        else:
            done.append("changed nothing: there is no text file that an agent may change in a job too")
        if plan.deleted:
            (self.directory / plan.deleted).unlink()
            done.append(f"deleted {plan.deleted}")
        else:
            done.append("deleted nothing: the files of the repository stay")
        self._snapshot = self._take_snapshot()
        return done

    def pull(self, branch: str) -> None:
        """Check out `branch` as it is on GitLab now."""
        self.look()
        self._git("pull", "-q", "origin", branch)
        self._snapshot = self._take_snapshot()

    def editable(self, path: str) -> bool:
        """Whether `path` is a regular file that an agent may change in a job too."""
        file = self.directory / path
        return file.is_file() and not file.is_symlink() and not GUARDED_FILES.match_file(normalized_path(path))

    def has(self, path: str) -> bool:
        """Whether `path` exists."""
        return os.path.lexists(self.directory / path)

    def ignores(self, path: str) -> bool:
        """Whether git ignores the new file `path`."""
        untracked = self._git("ls-files", "--others", "--exclude-standard", "--", f":(literal){path}")
        return not untracked

    def blob_ids(self, plan: Plan) -> dict[str, str]:
        """The id of the blob that git would store for each file that the plan writes, by path."""
        paths = [path for path, kind in plan.changes if kind != "D"]
        return {path: self._git("hash-object", f"--path={path}", "--", path).strip() for path in paths}

    def check(self) -> list[str]:
        """Print how many files the server altered; returns a line for each."""
        click.secho("\nThe clone, by looking at every file, .git included:", bold=True)
        total = len(self._snapshot)
        click.echo(f"   {total} files and folders, of which the server altered {len(self.altered) or 'none'}")
        return [f"the server altered {path} in the clone" for path in sorted(self.altered)]

    def _git(self, *arguments: str) -> str:
        return git("-C", str(self.directory), *arguments)

    def _take_snapshot(self) -> dict[str, tuple[object, ...]]:
        """Mode, size, modification time and content of every file, link and folder, by path."""
        snapshot: dict[str, tuple[object, ...]] = {}
        for folder, folders, files in os.walk(self.directory):
            for name in (".", *folders, *files):
                path = Path(folder, name)
                state = path.lstat()
                if path.is_symlink():
                    content = os.fsencode(path.readlink())
                else:
                    content = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
                snapshot[str(path.relative_to(self.directory))] = (
                    state.st_mode,
                    state.st_size,
                    state.st_mtime_ns,
                    content,
                )
        return snapshot
