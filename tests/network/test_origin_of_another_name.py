"""A checkout whose `origin` has another name of this GitLab than GITLAB_URL: its project and its files are known."""

from pathlib import Path

import pytest

from gitlab_mcp.config.settings import Flags, Settings, read_settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import clone, git
from tests.support.gitlab_requests import get

OUTSIDE = "https://gitlab.example.com:8929/gitlab"
OURS = {
    "web": f"{OUTSIDE}/acme/app.git",
    "web with a user": "https://me:secret-of-me@gitlab.example.com:8929/gitlab/acme/app.git",
    "ssh on the web's host": "ssh://git@gitlab.example.com:2222/acme/app.git",
    "ssh in short": "git@gitlab.example.com:acme/app.git",
}
OTHERS = {
    "another host": "https://github.com/acme/app.git",
    "another port": "https://gitlab.example.com/gitlab/acme/app.git",
    "no folder": "https://gitlab.example.com:8929/acme/app.git",
    "a host that ends so": "git@my.gitlab.example.com:acme/app.git",
}


def settings(sandbox: Sandbox, folder: Path, origin: str, project: str = "") -> Settings:
    """The settings of a local run in a clone whose origin is `origin`."""
    sandbox.world.url = OUTSIDE
    work = clone(sandbox, "main", folder / "work")
    git(work, "remote", "set-url", "origin", origin)
    (work / "new.txt").write_text("edited on disk\n")
    environ = {"GITLAB_URL": sandbox.url, "GITLAB_ACCESS_TOKEN": sandbox.tokens["maintainer"]}
    return read_settings(Flags(project=project), environ, work)


@pytest.mark.parametrize("project", ["", "acme/app", "1"], ids=["no project", "a project", "a project's id"])
@pytest.mark.parametrize("origin", OURS.values(), ids=OURS)
async def test_its_project_is_known_and_its_files_are_committed_from_disk(
    fresh_sandbox: Sandbox, tmp_path: Path, origin: str, project: str
) -> None:
    project = str(fresh_sandbox.project_id) if project == "1" else project
    async with connect(settings(fresh_sandbox, tmp_path, origin, project)) as agent:
        answer = await agent.call("commit_files", branch="disk", ref="main", message="m", paths=["new.txt"])
        assert "(new branch from main): 1 added" in answer
        assert "# #7 " in await agent.call("get_issue", iid=7)
    assert get(fresh_sandbox, "/repository/files/new.txt?ref=disk")["size"] == len("edited on disk\n")


@pytest.mark.parametrize("origin", OTHERS.values(), ids=OTHERS)
async def test_a_checkout_of_another_host_has_no_project_and_the_error_says_what_to_set(
    fresh_sandbox: Sandbox, tmp_path: Path, origin: str
) -> None:
    run = settings(fresh_sandbox, tmp_path, origin)
    async with connect(run) as agent:
        told = await agent.refused("get_issue", iid="7")
        from_disk = {"project": "acme/app", "branch": "disk", "ref": "main", "message": "m"}
        commit = await agent.refused("commit_files", paths=["new.txt"], **from_disk)
        assert "1 added" in await agent.call("commit_files", actions=[{"path": "a", "content": "a"}], **from_disk)
    host = origin.replace("git@", "https://").split("/")[2].partition(":")[0]
    for text in (told, commit):
        assert f"its origin is on {host}, which is not known as a name of {fresh_sandbox.url}" in text
        assert "set GITLAB_URL" in text


async def test_a_secret_in_the_address_of_the_origin_is_in_no_error(fresh_sandbox: Sandbox, tmp_path: Path) -> None:
    async with connect(settings(fresh_sandbox, tmp_path, "https://me:s3cret-of-me@other.example/acme/app")) as agent:
        told = await agent.refused("get_issue", iid="7")
    assert "other.example" in told
    assert "s3cret" not in told


async def test_gitlab_is_asked_once_for_its_name_and_not_for_the_path_of_the_origin(
    fresh_sandbox: Sandbox, tmp_path: Path
) -> None:
    run = settings(fresh_sandbox, tmp_path, "https://github.com/private/name.git")
    async with connect(run) as agent:
        for _ in range(3):
            await agent.refused("get_issue", iid="7")
    asked = [f"{each['path']}?{each['query']}" for each in fresh_sandbox.faults.requests()]
    assert not [each for each in asked if "private" in each]
