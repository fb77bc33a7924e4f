"""`listen --check-config`: what is wrong is said plainly, before the first comment."""

import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import send
from tests.support.listener import HEADER, SIGNING_TOKEN, configure_ci, environ_of, new_trigger_token, write_config

HOOK = {"url": "https://mentions.example.com/webhook", "note_events": True, "push_events": False}


def checked(folder: Path, sandbox: Sandbox, environ: dict[str, str], project: str = "") -> tuple[int, str]:
    """The exit code and the output of the check."""
    config = write_config(folder, sandbox, project=project)
    command = [sys.executable, "-m", "gitlab_mcp", "listen", "--config", str(config), "--check-config"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert not any(value in ended.stdout + ended.stderr for name, value in environ.items() if "TOKEN" in name)
    return ended.returncode, ended.stdout


@pytest.fixture(scope="module")
def environ(gitlab: Sandbox) -> dict[str, str]:
    return environ_of(gitlab, new_trigger_token(gitlab))


def test_a_project_without_a_webhook_is_told_to_add_one(
    gitlab: Sandbox, environ: dict[str, str], tmp_path: Path
) -> None:
    code, said = checked(tmp_path, gitlab, environ)
    assert (code, "wrong No webhook has a URL that ends in /webhook" in said) == (1, True)
    assert "ok    The access token is of maintainer, with scope api." in said
    assert "ok    The pipelines run as maintainer, with the role " in said
    assert "note  Pipelines are started by variables" in said


def test_a_project_with_all_that_it_needs_works(gitlab: Sandbox, environ: dict[str, str], tmp_path: Path) -> None:
    hook = send(gitlab, "POST", "/hooks", "maintainer", **HOOK, signing_token=SIGNING_TOKEN)
    configure_ci(gitlab, HEADER)
    try:
        code, said = checked(tmp_path, gitlab, environ)
    finally:
        configure_ci(gitlab)
        send(gitlab, "DELETE", f"/hooks/{hook['id']}", "maintainer")
    assert "Pipelines are started by inputs" in said
    assert (code, said.splitlines()[-1]) == (0, "The configuration works.")


WRONG = {
    "hook-without-its-signing-token": ({}, "", "has no signing token"),
    "hook-without-comments": ({"note_events": False, "issues_events": True}, "", "does not send comments"),
    "hook-without-labels": ({}, 'label = "claude"', "does not send issues_events"),
    "hook-without-confidential-comments": ({}, "confidential = true", "does not send confidential comments"),
    "ref-source": ({}, 'ref = "source"', "whoever can push a branch decides"),
    "another-user-of-the-runs": ({}, 'job_user = "developer"', "The runs write as developer"),
    "no-user-of-the-runs": ({}, 'job_user = "nobody-at-all"', "There is no user nobody-at-all"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_or_dangerous_is_said(
    gitlab: Sandbox, environ: dict[str, str], tmp_path: Path, case: str
) -> None:
    changes, project, text = WRONG[case]
    hook = send(gitlab, "POST", "/hooks", "maintainer", **{**HOOK, **changes})
    try:
        _, said = checked(tmp_path, gitlab, environ, project)
    finally:
        send(gitlab, "DELETE", f"/hooks/{hook['id']}", "maintainer")
    assert text in said


def test_a_token_that_gitlab_does_not_know_is_wrong(gitlab: Sandbox, environ: dict[str, str], tmp_path: Path) -> None:
    code, said = checked(tmp_path, gitlab, {**environ, "LISTENER_TOKEN": "glpat-not-a-token-of-this-gitlab"})
    assert (code, "wrong The access token" in said) == (1, True)


def test_a_trigger_token_of_nobody_is_wrong(gitlab: Sandbox, environ: dict[str, str], tmp_path: Path) -> None:
    _, said = checked(tmp_path, gitlab, {**environ, "TRIGGER_TOKEN": "glptt-0123456789abcdef"})
    assert "wrong The project does not have this trigger token." in said


def test_variables_that_nobody_may_set_are_wrong(gitlab: Sandbox, environ: dict[str, str], tmp_path: Path) -> None:
    configure_ci(gitlab, minimum_role="no_one_allowed")
    try:
        _, said = checked(tmp_path, gitlab, environ)
    finally:
        configure_ci(gitlab)
    assert "wrong Pipeline variables are allowed to no one allowed" in said
