"""Commits made in the repository that the sandbox keeps, without a clone."""

import os
import subprocess
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox

DAY = 1_790_000_000  # when the first commit of a made history is made


def stored(sandbox: Sandbox) -> Path:
    """Where the sandbox keeps the repository of its project."""
    return sandbox.world.projects[sandbox.project_id].repository.path


class History:
    """Makes commits in the sandbox's repository, one minute after the other. Each adds a file of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._folder = stored(sandbox)
        self._made = 0
        self.main = self.git("rev-parse", "main")

    def git(self, *arguments: str, text: str = "") -> str:
        when = f"{DAY + 60 * self._made} +0000"
        who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x"}
        surroundings = {**os.environ, **who, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        command = ["git", "-C", str(self._folder), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=text, env=surroundings)
        return done.stdout.strip()

    def commit(self, title: str, *parents: str, folder: str = "made") -> str:
        """A commit with the files of its first parent and one more."""
        self._made += 1
        blob = self.git("hash-object", "-w", "--stdin", text=title)
        index = {"GIT_INDEX_FILE": str(self._folder / f"index-{self._made}")}
        command = ["git", "-C", str(self._folder)]
        surroundings = {**os.environ, **index}
        if parents:
            subprocess.run([*command, "read-tree", parents[0]], check=True, env=surroundings)
        entry = f"100644,{blob},{folder}/{self._made}.txt"
        subprocess.run([*command, "update-index", "--add", "--cacheinfo", entry], check=True, env=surroundings)
        tree = subprocess.check_output([*command, "write-tree"], text=True, env=surroundings).strip()
        above = [part for parent in parents for part in ("-p", parent)]
        return self.git("commit-tree", tree, *above, "-m", title)

    def chain(self, title: str, count: int, *parents: str, folder: str = "made") -> str:
        """Commits on top of each other; the last one is returned."""
        for number in range(count):
            parents = (self.commit(f"{title} {number}", *parents, folder=folder),)
        return parents[0]

    def branch(self, name: str, commit: str) -> None:
        self.git("update-ref", f"refs/heads/{name}", commit)
