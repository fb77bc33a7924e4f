"""Files of the branch that changes go into: what a merge request's own branch says instructs nobody."""

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.project import Project
from gitlab_mcp.config.environment import variable
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import NotFound, Unreachable
from gitlab_mcp.git.objects import LINK
from gitlab_mcp.repository.git_backend.backend import GitBackend
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.repository.rest_backend import RestBackend

LINKS = 5  # that are followed one after the other
RULES = ("CLAUDE.md", ".claude/CLAUDE.md")


class TargetBranch:
    """The target branch of the job's merge request, else the default branch, as GitLab has it now.

    In the pipeline of a fork's merge request that is a branch of the project that the fork is from.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.project = variable(environ, "CI_MERGE_REQUEST_PROJECT_PATH") or settings.project
        # Only this reads the other project; the server of the run does not.
        self._settings = replace(settings, allow_projects=(*settings.allow_projects, self.project))
        self._repository: Repository | None = None
        self._branch = variable(environ, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
        self._branch = self._branch or variable(environ, "CI_DEFAULT_BRANCH")
        self._commit = ""

    def close(self) -> None:
        """Remove what was fetched from the disk."""
        if isinstance(self._repository, GitBackend):
            self._repository.close()

    def read(self, path: str) -> bytes:
        """The content of a file; symbolic links are followed within the repository.

        Raises NotFound where the branch has no such file, Unreachable or another Failure where it cannot be fetched.
        """
        repository = self._opened()
        if not self._commit:
            branch = self._branch or repository.default_branch
            try:
                self._commit = repository.commit(branch).sha("id")
            except NotFound as missing:
                raise Unreachable(f"{self.project} has no branch {branch}.") from missing
        for _ in range(LINKS):
            entries = repository.entries(self._commit, [path])
            entry = entries.get(path)
            if entry is None:
                raise NotFound(f"There is no file {path} on the target branch.")
            content = repository.file(path, self._commit).content
            if entry.mode != LINK:
                return content
            target = content.decode("utf-8", "surrogateescape")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        raise NotFound(f"{path} is behind too many symbolic links on the target branch.")

    def _opened(self) -> Repository:
        if self._repository is None:
            gitlab = GitLab(self._settings)
            project = Project(gitlab, self.project)
            self._repository = GitBackend(project) if gitlab.identity.pushes() else RestBackend(project)
        return self._repository

    def rules(self) -> bytes | None:
        """The project's CLAUDE.md; None where the branch has none. Raises a Failure where it cannot be fetched."""
        for path in RULES:
            try:
                return self.read(path)
            except NotFound:
                continue
        return None
