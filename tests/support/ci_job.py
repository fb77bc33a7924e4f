"""A CI job of the sandbox's project: its environment, and whether its token may push."""

import os
from pathlib import Path

import requests

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import send


def job_environment(sandbox: Sandbox, directory: Path, **more: str) -> dict[str, str]:
    """The environment of a job of the sandbox's project in the checkout at `directory`, and PATH."""
    return {
        "PATH": os.environ["PATH"],
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": sandbox.url,
        "CI_PROJECT_ID": str(sandbox.project_id),
        "CI_PROJECT_PATH": sandbox.project,
        "CI_PROJECT_DIR": str(directory),
        "CI_JOB_TOKEN": sandbox.tokens["job"],
        "GITLAB_USER_NAME": "Developer",
        "GITLAB_USER_EMAIL": "developer@example.com",
        **more,
    }


def declare_inputs(sandbox: Sandbox, **inputs: str) -> None:
    """Let the .gitlab-ci.yml of main declare inputs, each with its type."""
    declared = "".join(f"    {name}: {{type: {kind}}}\n" for name, kind in inputs.items())
    content = f"spec:\n  inputs:\n{declared}---\ntest: {{script: [pytest]}}\n"
    action = {"action": "update", "file_path": ".gitlab-ci.yml", "content": content}
    body = {"branch": "main", "commit_message": "Declare inputs [skip ci]", "actions": [action]}
    send(sandbox, "POST", "/repository/commits", "maintainer", **body)


def allow_job_pushes(sandbox: Sandbox, allowed: bool = True) -> None:
    """Flip the switch of the project: Allow Git push requests to the repository."""
    url = f"{sandbox.url}/api/v4/projects/{sandbox.project_id}"
    body = {"ci_push_repository_for_job_token_allowed": allowed}
    answer = requests.put(url, json=body, headers={"PRIVATE-TOKEN": sandbox.tokens["maintainer"]}, timeout=30)
    assert answer.status_code == 200, answer.text
