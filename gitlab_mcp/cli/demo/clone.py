"""The clone that a job works in, and a watch over it."""

import hashlib
import os
from pathlib import Path

import click

from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.cli.demo.plan import Plan
from gitlab_mcp.safety.policy import GUARDED_FILES, normalized_path


class Clone:
    """The job's clone, and whether anybody but the agent alters it: `altered` has the paths."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.altered: set[str] = set()
        self._seen = self._everything()

    def look(self) -> None:
        """Note what is not as it was at the last look."""
        now = self._everything()
        self.altered |= {path for path in {*now, *self._seen} if now.get(path) != self._seen.get(path)}
        self._seen = now

    def edit(self, plan: Plan) -> list[str]:
        """Edit the files on disk as an agent does with tools of its own; what was done, a line each."""
        self.look()
        created = self.directory / plan.created.path
        created.parent.mkdir(parents=True, exist_ok=True)
        created.write_text(plan.created.content, encoding="utf-8")
        done = [f"wrote {plan.created.path}"]
        if plan.changed:
            changed = self.directory / plan.changed.path
            text = changed.read_bytes().decode("utf-8", "surrogateescape")
            changed.write_bytes(plan.changed.of(text).encode("utf-8", "surrogateescape"))
            done.append(f"changed {plan.changed.path}")
        else:
            done.append("changed nothing: no file here is text that a job may change")
        if plan.deleted:
            (self.directory / plan.deleted).unlink()
            done.append(f"deleted {plan.deleted}")
        else:
            done.append("deleted nothing: of the files that a job may delete, one stays")
        self._seen = self._everything()
        return done

    def editable(self, path: str) -> bool:
        """Whether there is a regular file that a job's agent may change or delete."""
        at = self.directory / path
        return at.is_file() and not at.is_symlink() and not GUARDED_FILES.match_file(normalized_path(path))

    def has(self, path: str) -> bool:
        """Whether anything is there."""
        return os.path.lexists(self.directory / path)

    def ignores(self, path: str) -> bool:
        """Whether git leaves a new file out of commits."""
        listed = self._git("ls-files", "--others", "--exclude-standard", "--", f":(literal){path}")
        return not listed

    def ids(self, plan: Plan) -> dict[str, str]:
        """The ids of the blobs that the files of the plan are, as git would store them."""
        paths = [path for path, kind in plan.changes if kind != "D"]
        return {path: self._git("hash-object", f"--path={path}", "--", path).strip() for path in paths}

    def check(self) -> list[str]:
        """Print whether all is as the agent left it; what is not, a line each."""
        click.secho("\nThe job's clone, by looking at every file, .git included:", bold=True)
        click.echo(f"   {len(self._seen)} files and folders, of which the server altered {len(self.altered) or 'none'}")
        return [f"the server altered {path} in the job's clone" for path in sorted(self.altered)]

    def _git(self, *arguments: str) -> str:
        return git("-C", str(self.directory), *arguments)

    def _everything(self) -> dict[str, tuple[object, ...]]:
        """Mode, size, time and content of every file, link and folder."""
        found: dict[str, tuple[object, ...]] = {}
        for folder, folders, files in os.walk(self.directory):
            for name in (".", *folders, *files):
                path = Path(folder, name)
                state = path.lstat()
                if path.is_symlink():
                    content = os.fsencode(path.readlink())
                else:
                    content = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
                found[str(path.relative_to(self.directory))] = (
                    state.st_mode,
                    state.st_size,
                    state.st_mtime_ns,
                    content,
                )
        return found
