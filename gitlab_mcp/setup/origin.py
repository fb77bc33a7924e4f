"""Where this installation came from, by PEP 610, and whether jobs can get it from there."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import unquote, urlsplit

from gitlab_mcp.config.checkout import project_of_remote
from gitlab_mcp.setup.own_files import DISTRIBUTION

# A file in the generic package registry of a project: https://docs.gitlab.com/user/packages/generic_packages/
PACKAGE_FILE = re.compile(r"/api/v4/projects/(?P<project>[^/]+)/packages/generic/(?P<rest>[^?#]+\.whl)")
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class WheelInRegistry:
    """A wheel in the package registry of another project on this GitLab; `path` is that of its URL below /api/v4."""

    project: str
    path: str
    sha256: str


@dataclass(frozen=True)
class SourceOnGitLab:
    """A project on this GitLab with the source of this server, at a commit: its templates can be included."""

    project: str
    commit: str


Origin = WheelInRegistry | SourceOnGitLab | None


def direct_url() -> Mapping[str, Any]:
    """The direct_url.json of this installation; empty where it came from an index, or does not say."""
    try:
        data = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def origin_of(direct: Mapping[str, Any], gitlab_url: str) -> Origin:
    """The place on the GitLab at `gitlab_url` from which jobs can get this server; None where it came from elsewhere.

    An index is elsewhere too: the name of the distribution belongs to nobody there. So is a checkout on disk, and a
    wheel without a checksum.
    """
    url = direct.get("url")
    if not isinstance(url, str):
        return None
    archive, vcs = direct.get("archive_info"), direct.get("vcs_info")
    if isinstance(archive, dict):
        hashes = archive.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
        base = urlsplit(gitlab_url).path
        found = PACKAGE_FILE.fullmatch(urlsplit(url).path.removeprefix(base))
        if found and _is_on(url, gitlab_url) and isinstance(sha256, str) and SHA256.fullmatch(sha256):
            path = f"/projects/{found['project']}/packages/generic/{found['rest']}"
            return WheelInRegistry(unquote(found["project"]), path, sha256)
    if isinstance(vcs, dict) and vcs.get("vcs") == "git":
        commit, project = vcs.get("commit_id"), project_of_remote(url, gitlab_url)
        if project and isinstance(commit, str) and COMMIT.fullmatch(commit):
            return SourceOnGitLab(project, commit)
    return None


def _is_on(url: str, gitlab_url: str) -> bool:
    one, other = urlsplit(url), urlsplit(gitlab_url)
    return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
