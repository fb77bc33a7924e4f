"""Clones of the sandbox's projects, and what is in them."""

import hashlib
import subprocess
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox


def clone(sandbox: Sandbox, branch: str, path: Path, project: str = "acme/app") -> Path:
    """A plain clone of a branch."""
    scheme, _, host = sandbox.url.partition("://")
    url = f"{scheme}://maintainer:{sandbox.tokens['maintainer']}@{host}/{project}.git"
    subprocess.run(["git", "clone", "-q", "--branch", branch, url, str(path)], check=True)
    return path


def changes(repository: Path, base: str = "origin/main") -> dict[str, str]:
    """The status of each path that HEAD changes against `base`."""
    command = ["git", "-C", str(repository), "diff", "--no-renames", "--name-status", "-z", f"{base}...HEAD"]
    fields = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return dict(zip(fields[1::2], fields[0::2], strict=False))


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, modification time and content of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def git(folder: Path, *arguments: str) -> str:
    """The output of a git command in a folder; a failure of git fails the test."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def job_clone(sandbox: Sandbox, folder: Path, *options: str, ref: str = "main") -> Path:
    """A clone as GitLab's runner makes it: fetched into an empty repository, with a detached HEAD."""
    scheme, _, host = sandbox.url.partition("://")
    url = f"{scheme}://gitlab-ci-token:{sandbox.tokens['job']}@{host}/{sandbox.project}.git"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    git(folder, "remote", "add", "origin", url)
    git(folder, "fetch", "-q", *options, "origin", f"+refs/heads/{ref}:refs/remotes/origin/{ref}")
    git(folder, "checkout", "-q", "--detach", f"origin/{ref}")
    return folder
