"""The maintainer of the sandbox's project, who uses plain HTTP and plain git, without the server."""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.sandbox import Sandbox


class Maintainer:
    """A client that reads the project and changes its settings."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._token = sandbox.tokens["maintainer"]
        self._url = sandbox.url
        self._project = sandbox.project

    def get(self, path: str) -> Any:
        """GET `path` below the project's API path; returns the parsed JSON."""
        return self._request("GET", path)

    @property
    def default_branch(self) -> str:
        """The name of the default branch; an empty repository has one too."""
        return str(self.get("")["default_branch"] or "main")

    def job_pushes_allowed(self) -> bool:
        """Whether the jobs of the project may push."""
        return bool(self.get("")["ci_push_repository_for_job_token_allowed"])

    def allow_job_pushes(self) -> None:
        """Let the jobs of the project push."""
        self._request("PUT", "", {"ci_push_repository_for_job_token_allowed": True})

    def branches(self) -> dict[str, str]:
        """The id of the head commit of each branch, by the branch's name."""
        lines = git("ls-remote", "--heads", self._repository).splitlines()
        refs = (line.split("\t", 1) for line in lines)
        return {name.removeprefix("refs/heads/"): commit for commit, name in refs}

    def clone(self, path: Path, *options: str) -> None:
        """Clone the repository to `path`."""
        git("clone", "-q", *options, self._repository, str(path))

    @property
    def _repository(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.scheme}://demo:{self._token}@{parts.netloc}{parts.path}/{self._project}.git"

    def _request(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._url}/api/v4/projects/{quote(self._project, safe='')}{path}"
        request = urllib.request.Request(  # noqa: S310  # the sandbox's
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"PRIVATE-TOKEN": self._token, "Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            return json.load(response)
