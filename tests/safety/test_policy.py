"""What a run may do: restricted to its project, read-only, and away from branches and files that are guarded."""

import re
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Credential, Flags, MergeRequestElsewhere, Settings, SettingsError, read_settings
from gitlab_mcp.errors import Refused
from gitlab_mcp.safety.policy import Policy
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import clone
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.merge_requests import open_for_review
from tests.support.seed import SEED
from tests.support.settings import checkout, settings_for

TOKEN = "glpat-this-is-not-a-real-token"


def ci(sandbox: Sandbox, **changes: Any) -> Settings:
    """The settings of a run inside a job of the sandbox's project."""
    own = (sandbox.project, str(sandbox.project_id))
    return settings_for(sandbox, in_ci=True, own_project=own, **changes)


@pytest.mark.parametrize("project", ["acme/private-notes", "acme/empty", "2", "{url}/acme/empty"])
async def test_in_ci_another_project_is_neither_read_nor_written_by_path_id_or_url(
    sandbox: Sandbox, project: str
) -> None:
    project = project.format(url=sandbox.url)
    async with connect(ci(sandbox)) as agent:
        assert "restricted to acme/app" in await agent.refused("list_branches", project=project)
        one = [{"path": "x", "content": "x"}]
        arguments = {"branch": "main", "message": "m", "actions": one, "project": project}
        assert "restricted to acme/app" in await agent.refused("commit_files", **arguments)
    assert sandbox.faults.requests() == []


async def test_in_ci_an_issue_of_another_project_is_not_commented_on_by_its_url(sandbox: Sandbox) -> None:
    other = f"{sandbox.url}/acme/empty/-{SEED.plan_issue.path}"
    async with connect(ci(sandbox)) as agent:
        assert "restricted to acme/app" in await agent.refused("create_note", iid=other, body="x")
    assert sandbox.faults.requests() == []


@pytest.mark.parametrize("project", ["acme/app", "ACME/App", "1", 1])
async def test_in_ci_the_own_project_may_be_named_by_path_or_id(sandbox: Sandbox, project: str | int) -> None:
    assert sandbox.project_id == 1
    async with connect(ci(sandbox)) as agent:
        assert "main" in await agent.call("list_branches", project=project)


async def test_a_redirect_does_not_lead_out_of_the_confinement(sandbox: Sandbox) -> None:
    settings = settings_for(sandbox, in_ci=True, own_project=("acme/old-app", ""), project="acme/old-app")
    async with connect(settings) as agent:
        assert "restricted to acme/old-app" in await agent.refused("list_issues")


async def test_a_flag_opens_another_project_and_locally_it_confines(sandbox: Sandbox) -> None:
    async with connect(ci(sandbox, allow_projects=("acme/empty",))) as agent:
        assert await agent.call("list_branches", project="acme/empty") == "# Branches: none"
        assert "restricted" in await agent.refused("list_branches", project="acme/archive")
    async with connect(settings_for(sandbox)) as agent:
        assert "main" in await agent.call("list_branches", project="acme/archive")
    restricted = settings_for(sandbox, own_project=("acme/app",), allow_projects=("acme/empty",))
    async with connect(restricted) as agent:
        assert "restricted" in await agent.refused("list_branches", project="acme/archive")


async def test_read_only_sends_no_write_whatever_tool_is_called(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, read_only=True)) as agent:
        assert "switched off" in await agent.refused("create_note", iid=SEED.crash_issue.reference, body="x")
    assert writes(sandbox) == []
    policy = Policy(settings_for(sandbox, read_only=True))
    for method in ("post", "put", "delete", "patch"):
        with pytest.raises(Exception, match="read-only"):
            policy.check(method, "/projects/1/issues", None, str)


async def test_in_ci_the_default_branch_is_not_written_unless_a_flag_opens_it(sandbox: Sandbox) -> None:
    one = {"message": "m", "actions": [{"path": "direct.txt", "content": "x"}]}
    async with connect(ci(sandbox)) as agent:
        assert "nothing is written to main" in await agent.refused("commit_files", branch="main", **one)
        assert writes(sandbox) == []
        await agent.call("commit_files", branch="policy", ref="main", **one)
    async with connect(ci(sandbox, allow_default_branch=True)) as agent:
        await agent.call("commit_files", branch="main", **one)


async def test_in_ci_nothing_is_merged_that_could_not_be_committed(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "harmless")
    guarded = open_for_review(sandbox, "instructs", {"action": "create", "file_path": "CLAUDE.md", "content": "x"})
    onto_main = send(
        sandbox,
        "POST",
        "/merge_requests",
        source_branch="harmless",
        target_branch="main",
        title="Onto the default branch",
    )["iid"]
    sha = {each: get(sandbox, f"/merge_requests/{each}")["sha"] for each in (number, guarded, onto_main)}
    sandbox.faults.clear()
    toolsets = ("default", "merge")
    async with connect(ci(sandbox, toolsets=toolsets, allow_opt_in_tools=True)) as agent:
        onto = await agent.refused("merge_merge_request", iid=onto_main, sha=sha[onto_main])
        file = await agent.refused("merge_merge_request", iid=guarded, sha=sha[guarded])
        assert writes(sandbox) == []
        await agent.call("merge_merge_request", iid=number, sha=sha[number])
    assert "nothing is merged into main, the default branch" in onto
    assert "In CI CLAUDE.md is not written" in file
    opened = ci(sandbox, toolsets=toolsets, allow_opt_in_tools=True, allow_files=("CLAUDE.md",))
    async with connect(opened) as agent:
        await agent.call("merge_merge_request", iid=guarded, sha=sha[guarded])


async def test_in_ci_a_merge_of_more_files_than_gitlab_lists_is_left_to_a_person(fresh_sandbox: Sandbox) -> None:
    many = [{"action": "create", "file_path": f"a/{number}.txt", "content": "x"} for number in range(1_001)]
    hidden = {"action": "create", "file_path": "zz/CLAUDE.md", "content": "x"}
    number = open_for_review(fresh_sandbox, "many", *many, hidden)
    sha = get(fresh_sandbox, f"/merge_requests/{number}")["sha"]
    async with connect(ci(fresh_sandbox, toolsets=("default", "merge"), allow_opt_in_tools=True)) as agent:
        told = await agent.refused("merge_merge_request", iid=number, sha=sha)
    assert "changes more files than GitLab lists" in told


async def test_in_ci_the_default_branch_is_not_rebased(fresh_sandbox: Sandbox) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.protected.clear()
    commit(fresh_sandbox, "release", "main", {"action": "create", "file_path": "released.txt", "content": "x"})
    commit(fresh_sandbox, "main", "", {"action": "create", "file_path": "new.txt", "content": "x"})
    number = send(
        fresh_sandbox, "POST", "/merge_requests", source_branch="main", target_branch="release", title="Onto a release"
    )["iid"]
    before = get(fresh_sandbox, "/repository/commits/main")["id"]
    toolsets = ("default", "merge")
    async with connect(ci(fresh_sandbox, toolsets=toolsets, allow_opt_in_tools=True)) as agent:
        assert "nothing is written to main" in await agent.refused("rebase_merge_request", iid=number)
    assert get(fresh_sandbox, "/repository/commits/main")["id"] == before
    opened = ci(fresh_sandbox, toolsets=toolsets, allow_opt_in_tools=True, allow_default_branch=True)
    async with connect(opened) as agent:
        await agent.call("rebase_merge_request", iid=number)
    assert get(fresh_sandbox, "/repository/commits/main")["id"] != before


GUARDED = [
    ".gitlab-ci.yml",
    ".GitLab-CI.yml",
    ".gitlab/ci/build.yml",
    ".gitlab/CODEOWNERS",
    "CODEOWNERS",
    "docs/codeowners",
    ".mcp.json",
    "sub/.mcp.json",
    ".claude/settings.json",
    "sub/.Claude/hooks/x",
    "CLAUDE.md",
    "src/claude.MD",
    "AGENTS.md",
    "\uff23LAUDE.md",  # the letter C at full width
    "CLAUDE.md.",
    "CLAUDE\u200b.md",
    ".cla\u00adude/settings.json",
    ".gitlab\\ci.yml",
]


@pytest.mark.parametrize("path", GUARDED)
def test_a_guarded_file_is_known_in_every_letter_case_and_unicode_form(path: str) -> None:
    settings = Settings(url="https://gitlab.example.com", credential=Credential("access token", "X", TOKEN))
    assert Policy(settings).guards(path)


@pytest.mark.parametrize("path", ["README.md", "docs/claude.txt", "gitlab-ci.yml", "src/.gitlab.py", "agents.md.txt"])
def test_other_files_are_not_guarded(path: str) -> None:
    settings = Settings(url="https://gitlab.example.com", credential=Credential("access token", "X", TOKEN))
    assert not Policy(settings).guards(path)


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A clone of main with a new CLAUDE.md."""
    folder = clone(sandbox, "main", tmp_path / "work")
    (folder / "CLAUDE.md").write_text("obey\n")
    sandbox.faults.clear()
    return folder


GUARDED_CHANGES: dict[str, dict[str, Any]] = {
    "written": {"actions": [{"path": ".gitlab-ci.yml", "content": "x"}]},
    "deleted": {"actions": [{"path": ".gitlab-ci.yml", "action": "delete"}]},
    "taken from disk": {"actions": [{"path": "CLAUDE.md"}]},
    "moved onto": {"actions": [{"path": "AGENTS.md", "action": "move", "previous_path": "README.md"}]},
    "moved from": {"actions": [{"path": "ci.yml", "action": "move", "previous_path": ".gitlab-ci.yml"}]},
    "matched by a glob": {"paths": ["**"]},
}


@pytest.mark.parametrize("change", GUARDED_CHANGES.values(), ids=GUARDED_CHANGES)
async def test_in_ci_guarded_files_are_not_written_moved_from_or_onto_or_taken_from_disk(
    sandbox: Sandbox, work: Path, change: dict[str, Any]
) -> None:
    async with connect(ci(sandbox, working_directory=checkout(work))) as agent:
        refused = await agent.refused("commit_files", branch="guarded", ref="main", message="m", **change)
    assert "--allow-files" in refused
    assert writes(sandbox) == []


async def test_in_ci_a_guarded_file_that_a_flag_names_is_written_and_no_other(sandbox: Sandbox, work: Path) -> None:
    start = {"branch": "guarded", "ref": "main", "message": "m"}
    async with connect(ci(sandbox, working_directory=checkout(work), allow_files=("CLAUDE.md",))) as agent:
        await agent.call("commit_files", **start, paths=["**"])
        assert "--allow-files" in await agent.refused(
            "commit_files", branch="guarded", message="m", actions=[{"path": "AGENTS.md", "content": "x"}]
        )


async def test_locally_guarded_files_and_the_default_branch_are_written_and_pointed_out(
    fresh_sandbox: Sandbox,
) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        actions = [{"path": "CLAUDE.md", "content": "x"}, {"path": "y", "content": "y"}]
        answer = await agent.call("commit_files", branch="main", message="m", actions=actions)
    assert "Note: main is the default branch." in answer
    assert "Note: CLAUDE.md runs in pipelines, decides who approves, or instructs agents." in answer


async def test_a_secret_of_this_run_is_not_sent(sandbox: Sandbox) -> None:
    secret = "a-secret-of-this-job-42"
    async with connect(settings_for(sandbox, secrets=(secret,))) as agent:
        assert "secret of this run" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body=f"look: {secret}"
        )
        opened = {"source_branch": "feature/verbose-flag", "target_branch": "stale/no-commits", "title": "t"}
        told = await agent.refused("create_merge_request", **opened, description=secret)
        assert "secret of this run" in told
        action = {"path": "x", "content": f"key = {secret}"}
        assert "secret of this run" in await agent.refused(
            "commit_files", branch="leak", ref="main", message="m", actions=[action]
        )
    assert writes(sandbox) == []


async def test_a_forks_pipeline_reads_and_comments_on_its_merge_request_in_the_parent(
    sandbox: Sandbox,
) -> None:
    fork = settings_for(
        sandbox,
        in_ci=True,
        project="acme/empty",
        own_project=("acme/empty", "2"),
        merge_request=MergeRequestElsewhere("1", "1"),
    )
    async with connect(fork) as agent:
        assert "# !1 " in await agent.call("get_merge_request", iid=SEED.merge_request.iid, project="1")
        assert "Commented on !1" in await agent.call(
            "create_note", iid=SEED.merge_request.reference, body="from the fork", project="1"
        )
        comment = {"path": "src/app/cli.py", "line": 14, "body": "on a line"}
        assert "1 comment." in await agent.call(
            "review_merge_request", iid=SEED.merge_request.iid, comments=[comment], project="1"
        )
        told = await agent.refused("review_merge_request", iid=SEED.merge_request.iid, verdict="approve", project="1")
        assert "restricted" in told
        assert "restricted" in await agent.refused("get_issue", iid=SEED.crash_issue.iid, project="1")
        assert "restricted" in await agent.refused(
            "update_merge_request", iid=SEED.merge_request.iid, title="x", project="1"
        )
        assert "restricted" in await agent.refused("list_files", project="1")


def test_in_ci_what_widens_is_a_flag_and_what_narrows_may_be_a_variable(tmp_path: Path) -> None:
    job = {"GITLAB_CI": "true", "CI_JOB_TOKEN": "glcbt-x", "CI_PROJECT_PATH": "group/app", "CI_PROJECT_ID": "7"}
    widening = {
        "GITLAB_MCP_ALLOW_PROJECT": "group/other",
        "GITLAB_MCP_ALLOW_DEFAULT_BRANCH": "true",
        "GITLAB_MCP_ALLOW_FILES": "CLAUDE.md",
        "GITLAB_PROJECT": "group/other",
    }
    found = read_settings(Flags(), {**job, **widening, "GITLAB_MCP_READ_ONLY": "true"}, tmp_path)
    assert (found.allow_projects, found.allow_default_branch, found.allow_files) == ((), False, ())
    assert (found.read_only, found.own_project) == (True, ("group/app", "7"))
    flags = Flags(allow_project="group/other", allow_default_branch=True, allow_files="CLAUDE.md")
    opened = read_settings(flags, job, tmp_path)
    assert (opened.allow_projects, opened.allow_default_branch) == (("group/other",), True)
    local = read_settings(Flags(), {"GITLAB_TOKEN": TOKEN, **widening}, tmp_path)
    assert (local.allow_projects, local.allow_files) == (("group/other",), ("CLAUDE.md",))


def test_a_job_without_its_own_project_in_the_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape("CI_PROJECT_PATH")):
        read_settings(Flags(), {"GITLAB_CI": "true", "CI_JOB_TOKEN": "glcbt-x"}, tmp_path)


def test_in_ci_no_request_deletes_the_default_branch(sandbox: Sandbox) -> None:
    policy, path = Policy(ci(sandbox)), "/projects/acme%2Fapp/repository/branches/"
    with pytest.raises(Refused, match="the default branch"):
        policy.check("delete", f"{path}feature%2Fmain", None, lambda _project: "feature/main")
    policy.check("delete", f"{path}other", None, lambda _project: "feature/main")
