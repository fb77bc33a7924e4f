"""Fixtures: a sandbox for each test, and a small HTTP client for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
}


class Api:
    """REST calls to a sandbox as one of its users, or anonymously."""

    def __init__(self, sandbox: Sandbox, who: str = "") -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        if who:
            self.session.headers["PRIVATE-TOKEN"] = sandbox.tokens[who]

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call a path after /api/v4; `:p` in it stands for the project."""
        path = path.replace(":p", quote(self.sandbox.project, safe=""), 1)
        url = f"{self.sandbox.url}/api/v4{path}"
        return self.session.request(method, url, timeout=30, allow_redirects=False, **options)

    def get(self, path: str, /, **params: Any) -> Any:
        """The JSON of a GET, which must be answered with 200."""
        response = self.call("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, /, **body: Any) -> Any:
        """The JSON of a POST, which must be answered with 201."""
        response = self.call("POST", path, json=body)
        assert response.status_code == 201, response.text
        return response.json()

    def put(self, path: str, /, **body: Any) -> Any:
        """The JSON of a PUT, which must be answered with 200."""
        response = self.call("PUT", path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def refusal(self, method: str, path: str, /, **body: Any) -> tuple[int, Any]:
        """The status and JSON of a call that is expected to fail."""
        response = self.call(method, path, json=body) if body else self.call(method, path)
        return response.status_code, response.json()

    def commit(self, branch: str, *actions: dict[str, Any], message: str = "A change", **more: Any) -> Any:
        """Commit actions to a branch."""
        return self.post(
            "/projects/:p/repository/commits",
            branch=branch,
            commit_message=message,
            actions=list(actions),
            **more,
        )


class People:
    """A client for each user of the sandbox, created on first use."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.clients: dict[str, Api] = {}

    def __getitem__(self, who: str) -> Api:
        if who not in self.clients:
            self.clients[who] = Api(self.sandbox, who)
        return self.clients[who]


def git(directory: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git without the configuration of this machine."""
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def clone_url(sandbox: Sandbox, who: str, project: str = "") -> str:
    """The URL for git clone, with a token in it."""
    scheme, _, rest = sandbox.url.partition("://")
    return f"{scheme}://anyone:{sandbox.tokens[who]}@{rest}/{project or sandbox.project}.git"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(fault_injection=True) as one:
        yield one


@pytest.fixture
def people(sandbox: Sandbox) -> Iterator[People]:
    everyone = People(sandbox)
    yield everyone
    for client in everyone.clients.values():
        client.session.close()


@pytest.fixture
def maintainer(people: People) -> Api:
    return people["maintainer"]


@pytest.fixture
def developer(people: People) -> Api:
    return people["developer"]
