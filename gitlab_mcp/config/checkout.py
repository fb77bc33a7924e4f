"""Which project a checkout on disk belongs to."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]{2,}):(?!//)(.+)")  # git@host:group/app.git


@dataclass(frozen=True)
class WorkingDirectory:
    """A checkout on disk, the GitLab project that it is a checkout of, and the commit that a job checked out.

    `project` is "" where its `origin` is `remote`, on a host that is not that of the configured URL: only GitLab can
    say whether that is another name of it.
    """

    path: Path
    project: str
    commit: str = ""
    remote: str = field(default="", repr=False)  # it may hold a password


def find_checkout(directory: Path, url: str) -> WorkingDirectory | None:
    """The checkout that `directory` is in, if it has an `origin` on a host: with its project on the GitLab at `url`."""
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():
            remote = _origin_remote(candidate)
            project = project_of_remote(remote, url)
            return WorkingDirectory(candidate.resolve(), project, remote=remote) if host_of(remote) else None
    return None


def host_of(remote: str) -> str:
    """The host that a git remote's URL names; "" for a folder and for an invalid URL."""
    if scp := SCP.fullmatch(remote):
        return scp[1]
    try:
        return urlsplit(remote).hostname or ""
    except ValueError:
        return ""


def other_origin(checkout: WorkingDirectory | None, url: str) -> str:
    """A sentence on a checkout whose origin is not on the GitLab at `url`, with what to set; "" without such a one."""
    if checkout is None:
        return ""
    host = re.sub(r"[^A-Za-z0-9._-]", " ", host_of(checkout.remote))[:100]
    return (
        f"The working directory is a git checkout, but its origin is on {host}, which is not known as a name of {url}:"
        " if it is a project of your GitLab, set GITLAB_URL to that, or set the origin to the project's URL there."
    )


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
    if scp := SCP.fullmatch(remote):
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
