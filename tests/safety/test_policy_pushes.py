"""What a push may hold: no secret in any part of it, and no guarded file under whatever name reaches it."""

from typing import Any

import pytest

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.errors import Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.safety.policy import Policy
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import get
from tests.support.settings import job_settings, settings_for

SECRET = "a-secret-of-this-job-42"

PUSHES: dict[str, dict[str, Any]] = {
    "message": {"message": f"Use {SECRET} now"},
    "branch": {"branch": f"leak/{SECRET}"},
    "path": {"actions": [{"path": f"keys/{SECRET}.txt", "content": "x"}]},
    "path of a deleted file": {"actions": [{"action": "delete", "path": f"held/{SECRET}.txt"}]},
    "path before a move": {
        "actions": [{"action": "move", "path": "moved.txt", "previous_path": f"held/{SECRET}.txt"}],
    },
    "content": {"actions": [{"path": "x.txt", "content": f"key = {SECRET}\n"}]},
    "content of the last file": {
        "actions": [{"path": "x.txt", "content": "x"}, {"path": "y.txt", "content": f"{SECRET}\n"}],
    },
    "content as base64": {
        "actions": [{"path": "x.bin", "content": "/wBhLXNlY3JldC1vZi10aGlzLWpvYi00Mg==", "encoding": "base64"}]
    },
}
MERGE_REQUESTS: dict[str, dict[str, Any]] = {
    "title": {"title": f"Use {SECRET}"},
    "description": {"title": "t", "description": f"with {SECRET}"},
    "labels": {"title": "t", "labels": [SECRET]},
}


@pytest.fixture(scope="module")
def holding(sandbox: Sandbox) -> Sandbox:
    """A GitLab that lets jobs push, and already has a branch with the secret in a path."""
    allow_job_pushes(sandbox)
    project = sandbox.world.projects[sandbox.project_id]
    project.protected.clear()
    return sandbox


async def start_branch(sandbox: Sandbox) -> None:
    """A branch in which a file's path holds the secret, made by a run that does not know it for one."""
    if "held" in [branch["name"] for branch in get(sandbox, "/repository/branches?per_page=100")]:
        return
    async with connect(settings_for(sandbox)) as agent:
        action = {"path": f"held/{SECRET}.txt", "content": "x"}
        await agent.call("commit_files", branch="held", ref="main", message="m", actions=[action])


@pytest.mark.parametrize("backend", ["git", "REST"])
@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
async def test_a_commit_with_a_secret_in_any_part_is_refused_and_nothing_is_sent(
    holding: Sandbox, backend: str, push: dict[str, Any]
) -> None:
    await start_branch(holding)
    before = get(holding, "/repository/branches?per_page=100")
    settings = (job_settings if backend == "git" else settings_for)(holding, secrets=(SECRET,))
    plain = {"branch": "leak", "ref": "held", "message": "m", "actions": [{"path": "plain.txt", "content": "x"}]}
    async with connect(settings) as agent:
        assert "secret of this run" in await agent.refused("commit_files", **{**plain, **push})
    assert get(holding, "/repository/branches?per_page=100") == before


@pytest.mark.parametrize("opened", MERGE_REQUESTS.values(), ids=MERGE_REQUESTS)
async def test_no_push_option_carries_a_secret(holding: Sandbox, opened: dict[str, Any]) -> None:
    async with connect(job_settings(holding, secrets=(SECRET,))) as agent:
        actions = [{"path": "plain.txt", "content": "x"}]
        given = {"branch": "option", "ref": "main", "message": "m", "actions": actions}
        assert "secret of this run" in await agent.refused("commit_files", **given, merge_request=opened)
    assert get(holding, "/repository/branches?search=^option$") == []


@pytest.mark.parametrize("backend", ["git", "REST"])
async def test_a_branch_named_with_a_secret_is_not_created(holding: Sandbox, backend: str) -> None:
    settings = (job_settings if backend == "git" else settings_for)(holding, secrets=(SECRET,))
    async with connect(settings) as agent:
        assert "secret of this run" in await agent.refused("create_branch", branch=f"x-{SECRET}", ref="main")
    assert SECRET not in str(get(holding, "/repository/branches?per_page=100"))


@pytest.mark.parametrize("which", ["credential", "job token"])
def test_the_tokens_of_the_run_are_secrets_in_a_push_too(which: str) -> None:
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", "custom-prefix-0123456789")
    job_token = Credential("job token", "CI_JOB_TOKEN", "custom-job-9876543210")
    settings = Settings(url="https://gitlab.example.com", credential=credential, job_token=job_token)
    token = (credential if which == "credential" else job_token).token
    policy = Policy(settings)
    with pytest.raises(Refused, match="secret of this run"):
        policy.check_push("/projects/1", "b", f"with {token}", [], lambda: "main")
    policy.check_push("/projects/1", "b", "without", [], lambda: "main")


SECRETS_WITH_ESCAPES = {
    "a quote": 'pass"word-0123',
    "a backslash": "pass\\word-0123",
    "a line break": "first line 0123\nsecond line",
    "a letter beyond ASCII": "pässword-0123",
}


@pytest.mark.parametrize("secret", SECRETS_WITH_ESCAPES.values(), ids=SECRETS_WITH_ESCAPES)
async def test_a_secret_that_json_writes_otherwise_is_not_sent_either(sandbox: Sandbox, secret: str) -> None:
    sandbox.faults.clear()
    async with connect(settings_for(sandbox, secrets=(secret,))) as agent:
        assert "secret of this run" in await agent.refused("create_note", iid="#7", body=f"look: {secret}.")
        given = {"branch": "escaped", "ref": "main", "message": f"m {secret}"}
        action = {"path": "x", "content": "x"}
        assert "secret of this run" in await agent.refused("commit_files", **given, actions=[action])
    with pytest.raises(Refused, match="secret of this run"):
        Policy(settings_for(sandbox, secrets=(secret,))).check_push("/projects/1", "b", f"m {secret}", [], lambda: "")


def guarded(path: str, *opened: str) -> bool:
    credential = Credential("access token", "X", "glpat-this-is-not-a-real-token")
    return Policy(Settings(url="https://gitlab.example.com", credential=credential, allow_files=opened)).guards(path)


# Some file systems read each of these as the name itself, and a checkout there would then have a file of that name.
DISGUISES = {
    "variation selector 16": lambda name: f"{name[:4]}\ufe0f{name[4:]}",
    "variation selector at the end": lambda name: f"{name}\ufe0f",
    "variation selector supplement": lambda name: f"{name[:4]}\U000e0100{name[4:]}",
    "combining grapheme joiner": lambda name: f"{name[:4]}\u034f{name[4:]}",
    "zero-width joiner": lambda name: f"{name[:4]}\u200d{name[4:]}",
    "byte order mark": lambda name: f"\ufeff{name}",
    "delete character": lambda name: f"{name}\x7f",
    "trailing blank": lambda name: f"{name} ",
    "trailing blanks": lambda name: f"{name}   ",
    "trailing dot": lambda name: f"{name}.",
    "trailing dots and blanks": lambda name: f"{name}. . ",
    "trailing no-break space": lambda name: f"{name}\u00a0",
    "invisible before a trailing dot": lambda name: f"{name}.\u200b",
    "upper case": lambda name: name.upper(),
    "full width": lambda name: "".join(chr(ord(letter) + 0xFEE0) for letter in name),
    "long s": lambda name: name.replace("s", "\u017f"),
}
NAMES = [
    ".gitlab-ci.yml",
    ".gitlab/x.yml",
    "CODEOWNERS",
    ".mcp.json",
    ".claude/settings.json",
    "CLAUDE.md",
    "AGENTS.md",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_guarded_file_is_known_in_every_disguise(disguise: Any, name: str) -> None:
    assert guarded(disguise(name))


@pytest.mark.parametrize("folder", [".gitlab\ufe0f/x.yml", ".gitlab /x.yml", ".gitlab./x.yml", "a/.claude. /x"])
def test_a_guarded_folder_is_known_in_every_disguise(folder: str) -> None:
    assert guarded(folder)


@pytest.mark.parametrize(
    "path", ["x.gitlab-ci.yml", "a/.gitlab/x", ".gitlab", "CLAUDE.md.txt", "CLAUDEmd", "a .mcp.jso"]
)
def test_a_file_that_no_guarded_name_reaches_is_not_guarded(path: str) -> None:
    assert not guarded(path)


def test_a_flag_opens_the_name_it_gives_and_no_disguise_of_it() -> None:
    assert not guarded("CLAUDE.md", "CLAUDE.md")
    assert guarded("AGENTS.md", "CLAUDE.md")
    assert guarded("CLAUDE.md.", "CLAUDE.md")


@pytest.mark.parametrize("path", [".gitlab-ci\ufe0f.yml", "CLAUDE.md ", "CLAUDE.md."])
@pytest.mark.parametrize("place", ["path", "previous_path"])
def test_in_ci_no_push_writes_or_moves_a_guarded_file(sandbox: Sandbox, path: str, place: str) -> None:
    policy = Policy(job_settings(sandbox))
    change = Change("move", path, previous_path="other.txt")
    if place == "previous_path":
        change = Change("move", "plain.txt", previous_path=path)
    with pytest.raises(Refused, match="--allow-files"):
        policy.check_push("/projects/acme%2Fapp", "b", "m", [Change("create", "x", b""), change], lambda: "main")
    Policy(settings_for(sandbox)).check_push("/projects/acme%2Fapp", "b", "m", [change], lambda: "main")


def test_in_ci_a_push_to_the_default_branch_is_refused_and_to_another_is_not(sandbox: Sandbox) -> None:
    policy = Policy(job_settings(sandbox))
    with pytest.raises(Refused, match="the default branch"):
        policy.check_push("/projects/acme%2Fapp", "main", "m", [], lambda: "main")
    policy.check_push("/projects/acme%2Fapp", "other", "m", [], lambda: "main")
    opened = Policy(job_settings(sandbox, allow_default_branch=True))
    opened.check_push("/projects/acme%2Fapp", "main", "m", [], lambda: "main")


def test_a_push_to_another_project_or_of_a_run_that_only_reads_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match="another project"):
        Policy(job_settings(sandbox)).check_push("/projects/acme%2Fempty", "b", "m", [], lambda: "main")
    with pytest.raises(Refused, match="read-only"):
        Policy(settings_for(sandbox, read_only=True)).check_push("/projects/1", "b", "m", [], lambda: "main")
