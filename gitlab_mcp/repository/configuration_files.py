"""The files of a branch in which projects write down the passwords of test databases and the like."""

import re
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.git.objects import EXECUTABLE
from gitlab_mcp.repository.interface import Repository

FOLDERS = ("", ".gitlab", ".gitlab/ci", ".devcontainer", "ci", "compose", "config", "deploy", "docker")
# CI and compose files, .env.example and its like, and how an image or a development container is configured.
NAMES = re.compile(r"(.*/)?(.+\.ya?ml|\.env.*|.+\.env|env\..+|Dockerfile.*|devcontainer\.json|Makefile)", re.IGNORECASE)
MOST_FILES = 60


def configuration_files(gitlab: GitLab, repository: Repository, branch: str) -> list[bytes]:
    """The content of the configuration files at `branch`, in the usual folders."""
    entries = repository.entries(branch, [f"{folder}/x".lstrip("/") for folder in FOLDERS])
    paths = [
        path
        for path, entry in sorted(entries.items(), key=lambda item: (item[0].count("/"), item[0]))
        if entry.mode in ("100644", EXECUTABLE) and NAMES.fullmatch(path)
    ]
    return [
        file.content for file in gitlab.together(partial(repository.file, path, branch) for path in paths[:MOST_FILES])
    ]
