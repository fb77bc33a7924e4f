"""The maintainer of the sandbox's project, who asks GitLab by plain HTTP and plain git."""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.sandbox import Sandbox

# https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository
SWITCH = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"


class Maintainer:
    """Reads everything of the project, and may change its settings."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._token = sandbox.tokens["maintainer"]
        self._url = sandbox.url
        self._project = sandbox.project

    def get(self, path: str) -> Any:
        """GET a path below the project's, as parsed JSON."""
        return self._ask("GET", path)

    @property
    def default_branch(self) -> str:
        """The name of the default branch, also of an empty repository."""
        return str(self.get("")["default_branch"] or "main")

    def job_pushes_allowed(self) -> bool:
        """Whether the jobs of the project may push."""
        return bool(self.get("")["ci_push_repository_for_job_token_allowed"])

    def allow_job_pushes(self) -> None:
        """Let the jobs of the project push."""
        self._ask("PUT", "", {"ci_push_repository_for_job_token_allowed": True})

    def branches(self) -> dict[str, str]:
        """The commit of each branch."""
        listed = git("ls-remote", "--heads", self._repository).splitlines()
        found = (line.split("\t", 1) for line in listed)
        return {name.removeprefix("refs/heads/"): commit for commit, name in found}

    def clone(self, path: Path) -> None:
        """Clone the repository, without files on disk."""
        git("clone", "-q", "--no-checkout", self._repository, str(path))

    @property
    def _repository(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.scheme}://demo:{self._token}@{parts.netloc}{parts.path}/{self._project}.git"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._url}/api/v4/projects/{quote(self._project, safe='')}{path}"
        request = urllib.request.Request(  # noqa: S310  # the sandbox's
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"PRIVATE-TOKEN": self._token, "Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)
