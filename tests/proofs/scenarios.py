"""The writes that the long proofs make: what each needs before it, its call, and how to count what it did."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent
from tests.support.gitlab_requests import get
from tests.support.seed import SEED


@dataclass(frozen=True)
class Scenario:
    """A write: what has to be there before it, the call, and how to count it.

    `prepare` answers with further arguments of the call.
    """

    tool: str
    prepare: Callable[[Agent, str], Awaitable[dict[str, object]]]
    arguments: Callable[[str], dict[str, object]]
    count: Callable[[Sandbox, str], int]


async def nothing(_agent: Agent, _name: str) -> dict[str, object]:
    """No preparation."""
    return {}


async def branch_with_commit(agent: Agent, name: str) -> dict[str, object]:
    action = {"path": "prepared.txt", "content": name}
    await agent.call("commit_files", branch=name, ref="main", message="prepared", actions=[action])
    return {}


async def merge_request(agent: Agent, name: str) -> dict[str, object]:
    """A merge request of two branches of its own, of which the target is ahead."""
    await branch_with_commit(agent, name)
    await agent.call("create_branch", branch=f"{name}-target", ref="main")
    opened = await agent.call("create_merge_request", source_branch=name, target_branch=f"{name}-target", title=name)
    ahead = {"path": f"{name}.ahead", "content": "x"}
    await agent.call("commit_files", branch=f"{name}-target", message="ahead", actions=[ahead])
    return {"iid": found(r"!(\d+)", opened)}


async def with_head(agent: Agent, name: str) -> dict[str, object]:
    given = await merge_request(agent, name)
    return {**given, "sha": found(r"head: (\w+)", await agent.call("get_merge_request", **given))}


async def note(agent: Agent, name: str) -> dict[str, object]:
    return {
        "note": found(r"n(\d+)", await agent.call("create_note", iid=SEED.crash_issue.reference, body=f"First {name}"))
    }


async def open_thread(agent: Agent, _name: str) -> dict[str, object]:
    await agent.call(
        "resolve_discussion", iid=SEED.merge_request.reference, thread=str(SEED.review_notes.stderr), resolved=False
    )
    return {}


async def pipeline(agent: Agent, name: str) -> dict[str, object]:
    await branch_with_commit(agent, name)
    started = await agent.call("run_pipeline", ref=name)
    return {"pipeline_id": int(found(r"pipeline (\d+)", started))}


async def ended_job(agent: Agent, name: str) -> dict[str, object]:
    given = await pipeline(agent, name)
    await agent.call("cancel_pipeline", **given)
    jobs = await agent.call("get_pipeline", **given, detail="full")
    return {"job_id": int(found(r"canceled (\d+)", jobs.partition("## Other jobs")[2]))}


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def commits(sandbox: Sandbox, name: str) -> int:
    found = get(sandbox, f"/repository/commits?ref_name=main..{name}&per_page=100") if _has(sandbox, name) else []
    return sum(commit["title"] == f"Commit {name}" for commit in found)


def _has(sandbox: Sandbox, branch: str) -> bool:
    return bool(get(sandbox, f"/repository/branches?search=^{branch}$"))


def notes(path: str) -> Callable[[Sandbox, str], int]:
    def count(sandbox: Sandbox, name: str) -> int:
        found = get(sandbox, f"{path}/notes?per_page=100&sort=desc&activity_filter=only_comments")
        return sum(note["body"].split("\n")[0] == f"Note {name}" for note in found)

    return count


def opened(sandbox: Sandbox, name: str) -> int:
    return len(get(sandbox, f"/merge_requests?state=all&source_branch={name}"))


def updated(sandbox: Sandbox, name: str) -> int:
    return int(get(sandbox, SEED.merge_request.path)["title"] == f"Title {name}")


def issues(sandbox: Sandbox, name: str) -> int:
    return sum(issue["title"] == f"Issue {name}" for issue in get(sandbox, "/issues?state=all&per_page=100"))


def resolved(sandbox: Sandbox, _name: str) -> int:
    return int(get(sandbox, f"{SEED.merge_request.path}/notes/{SEED.review_notes.stderr}")["resolved"])


def pipelines(sandbox: Sandbox, name: str) -> int:
    return len(get(sandbox, f"/pipelines?ref={name}&source=api"))


def retried(sandbox: Sandbox, name: str) -> int:
    [made] = get(sandbox, f"/pipelines?ref={name}&source=api")
    jobs = get(sandbox, f"/pipelines/{made['id']}/jobs?include_retried=true&per_page=100")
    return len(jobs) - len({job["name"] for job in jobs})


def canceled(sandbox: Sandbox, name: str) -> int:
    return sum(each["status"] == "canceled" for each in get(sandbox, f"/pipelines?ref={name}&source=api"))


def merged(sandbox: Sandbox, name: str) -> int:
    return len(get(sandbox, f"/repository/commits?ref_name={name}..{name}-target&path=prepared.txt")) or int(
        get(sandbox, f"/merge_requests?state=all&source_branch={name}")[0]["state"] == "merged"
    )


def rebased(sandbox: Sandbox, name: str) -> int:
    return int(not get(sandbox, f"/repository/commits?ref_name={name}..{name}-target"))


def gone(sandbox: Sandbox, name: str) -> int:
    return int(not _has(sandbox, name))


def files(name: str) -> list[dict[str, str]]:
    return [{"path": f"{name}.txt", "content": name}, {"path": "README.md", "content": name}]


def with_merge_request(name: str) -> dict[str, object]:
    wanted = {"title": name, "description": f"Description of {name}"}
    arguments: dict[str, object] = {"branch": name, "ref": "main", "message": f"Commit {name}"}
    return {**arguments, "actions": files(name), "merge_request": wanted}


def review(name: str) -> dict[str, object]:
    """A comment on a line of the seeded merge request."""
    return {"iid": 1, "comments": [{"path": "src/app/cli.py", "line": 14, "body": f"Note {name}"}]}


REST = (
    Scenario(
        "create_note",
        nothing,
        lambda name: {"iid": SEED.crash_issue.reference, "body": f"Note {name}"},
        notes(SEED.crash_issue.path),
    ),
    Scenario(
        "create_note",
        nothing,
        lambda name: {
            "iid": SEED.crash_issue.reference,
            "body": f"Note {name}",
            "reply_to": str(SEED.crash_notes.first),
        },
        notes(SEED.crash_issue.path),
    ),
    Scenario(
        "create_note",
        nothing,
        lambda name: {"iid": SEED.merge_request.reference, "body": f"Note {name}"},
        notes(SEED.merge_request.path),
    ),
    Scenario(
        "create_note",
        nothing,
        lambda name: {"iid": SEED.crash_issue.reference, "body": f"Note {name}", "attach": ["README.md"]},
        notes(SEED.crash_issue.path),
    ),
    Scenario("create_branch", nothing, lambda name: {"branch": name}, lambda sandbox, name: int(_has(sandbox, name))),
    Scenario(
        "commit_files",
        branch_with_commit,
        lambda name: {"branch": name, "message": f"Commit {name}", "actions": files(name)},
        commits,
    ),
    Scenario(
        "commit_files",
        nothing,
        lambda name: {"branch": name, "ref": "main", "message": f"Commit {name}", "actions": files(name)},
        commits,
    ),
    Scenario("create_merge_request", branch_with_commit, lambda name: {"source_branch": name, "title": name}, opened),
    Scenario(
        "update_merge_request", nothing, lambda name: {"iid": SEED.merge_request.iid, "title": f"Title {name}"}, updated
    ),
    Scenario("review_merge_request", nothing, review, notes(SEED.merge_request.path)),
    Scenario("create_issue", nothing, lambda name: {"title": f"Issue {name}", "labels": ["bug"]}, issues),
    Scenario("update_issue", nothing, lambda name: {"iid": SEED.legacy_issue.iid, "title": f"Issue {name}"}, issues),
    Scenario(
        "update_note",
        note,
        lambda name: {"iid": SEED.crash_issue.reference, "body": f"Note {name}"},
        notes(SEED.crash_issue.path),
    ),
    Scenario(
        "resolve_discussion",
        open_thread,
        lambda _name: {"iid": SEED.merge_request.reference, "thread": str(SEED.review_notes.stderr)},
        resolved,
    ),
    Scenario("run_pipeline", branch_with_commit, lambda name: {"ref": name}, pipelines),
    Scenario("cancel_pipeline", pipeline, lambda _name: {}, canceled),
    Scenario("retry_job", ended_job, lambda _name: {}, retried),
    Scenario("merge_merge_request", with_head, lambda _name: {}, merged),
    Scenario("rebase_merge_request", merge_request, lambda _name: {}, rebased),
    Scenario("delete_branch", branch_with_commit, lambda name: {"branch": name}, gone),
)
PUSHED = ("create_branch", "commit_files", "create_merge_request", "update_merge_request", "delete_branch")
# What a job token may write, all of it by pushes; also a merge request by the push that brings its commit.
GIT = (
    *(scenario for scenario in REST if scenario.tool in PUSHED),
    Scenario("commit_files", nothing, with_merge_request, commits),
    Scenario("commit_files", nothing, with_merge_request, opened),
)
BACKENDS = {"rest": REST, "git": GIT}
