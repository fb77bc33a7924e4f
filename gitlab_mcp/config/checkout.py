"""Which project a checkout on disk belongs to."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class WorkingDirectory:
    """A checkout on disk, the GitLab project that it is a checkout of, and the commit that a job checked out."""

    path: Path
    project: str
    commit: str = ""


def find_checkout(directory: Path, url: str) -> WorkingDirectory | None:
    """The checkout that `directory` is in, if its `origin` is a project of the GitLab at `url`."""
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():
            project = project_of_remote(_origin_remote(candidate), url)
            return WorkingDirectory(candidate.resolve(), project) if project else None
    return None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be equal for a credential to be sent."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def project_of_remote(remote: str, url: str) -> str:
    """The project path that a git remote's URL names on the GitLab at `url`, or "" where it is another host.

    Understands https://host/group/app.git, ssh://git@host/group/app.git and git@host:group/app.git.
    """
    gitlab = urlsplit(url)
    try:
        urlsplit(remote).port  # noqa: B018  # raises ValueError for an invalid URL
    except ValueError:
        return ""
    if scp := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)", remote):
        host, path = scp[1], scp[2]
    else:
        parts = urlsplit(remote)
        host, path = parts.hostname or "", unquote(parts.path)
        if parts.scheme in ("http", "https"):
            if not path.startswith(f"{gitlab.path}/"):
                return ""
            path = path[len(gitlab.path) :]
            if origin(remote) != origin(url):
                return ""
    if host.lower() != (gitlab.hostname or "").lower():
        return ""
    path = path.strip("/").removesuffix(".git")
    return path if "/" in path else ""


def _origin_remote(checkout: Path) -> str:
    from gitlab_mcp.git.process import GitError, git, git_directory  # takes time, and a job need not ask git

    try:
        return git("config", "--get", "remote.origin.url", git_directory=git_directory(checkout)).decode().strip()
    except (GitError, OSError, ValueError):
        return ""
