"""What an answer costs beside people's own text: the budgets of a heading, a comment, a row and a write."""

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for


def overhead(answer: str, *texts: str) -> int:
    """Bytes of an answer less those of people's texts in it."""
    return len(answer.encode()) - sum(len(text.encode()) for text in texts)


async def test_get_issue_keeps_to_450_bytes_and_70_a_comment(sandbox: Sandbox) -> None:
    issue = get(sandbox, SEED.crash_issue.path)
    notes = [note["body"] for note in get(sandbox, f"{SEED.crash_issue.path}/notes")]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_issue", iid=SEED.crash_issue.iid)
    assert overhead(answer, issue["title"], issue["description"], *notes) <= 450 + 70 * len(notes)
    _, _, comments = answer.partition("## 3 comments\n")
    assert overhead(comments, *notes) <= 70 * len(notes)


async def test_get_merge_request_keeps_to_600_bytes_and_70_a_comment(sandbox: Sandbox) -> None:
    merge_request = get(sandbox, SEED.merge_request.path)
    notes = [note["body"] for note in get(sandbox, f"{SEED.merge_request.path}/notes") if not note["system"]]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request", iid=SEED.merge_request.iid)
    texts = (merge_request["title"], merge_request["description"], *notes)
    assert overhead(answer, *texts) <= 600 + 70 * len(notes)


async def test_a_row_of_a_list_keeps_to_120_bytes(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        rows = (await agent.call("list_issues", state="all")).split("\n")[1:]
        rows += (await agent.call("list_merge_requests")).split("\n")[1:]
        branches = (await agent.call("list_branches")).split("\n")[1:]
    titles = [each["title"] for each in get(sandbox, "/issues?per_page=100")]
    for row in rows:
        assert overhead(row, *(title for title in titles if title in row)) <= 120, row
    for row in branches:
        assert len(row.encode()) <= 120 + 60, row  # the name and the title of a commit are people's own


async def test_a_write_keeps_to_200_bytes(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        action = {"path": "x.txt", "content": "x"}
        answers = [
            await agent.call("create_note", iid=SEED.crash_issue.reference, body="hello"),
            await agent.call("create_branch", branch="short"),
            await agent.call("commit_files", branch="short", message="m", actions=[action]),
            await agent.call("create_merge_request", source_branch="short", title="T"),
            await agent.call("update_merge_request", iid=SEED.merge_request.iid, title="New title"),
            await agent.call("review_merge_request", iid=SEED.merge_request.iid, summary="Fine.", verdict="approve"),
            await agent.call("resolve_discussion", iid=SEED.merge_request.reference, thread=SEED.review_notes.stderr),
            await agent.call("create_issue", title="T"),
            await agent.call("update_issue", iid=SEED.crash_issue.iid, state="close"),
        ]
    assert [answer for answer in answers if len(answer.encode()) > 200] == []


async def test_list_discussions_keeps_to_100_bytes_a_thread_and_70_a_comment(sandbox: Sandbox) -> None:
    found = get(sandbox, f"{SEED.merge_request.path}/discussions")
    notes = [note["body"] for each in found for note in each["notes"] if not note["system"]]
    code = ["    if options.verbose:", "| `--verbose` | say what is read |"]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_discussions", iid=SEED.merge_request.reference)
    assert overhead(answer, *notes, *code) <= 100 * (1 + len(found)) + 70 * len(notes)


async def test_get_merge_request_diff_keeps_to_200_bytes_100_a_file_and_7_a_line(sandbox: Sandbox) -> None:
    diffs = get(sandbox, f"{SEED.merge_request.path}/diffs")
    lines = [line for each in diffs for line in each["diff"].split("\n")]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=SEED.merge_request.iid)
    assert overhead(answer, *lines) <= 200 + 100 * len(diffs) + 7 * len(lines)


async def test_an_answer_keeps_to_40000_bytes_whatever_people_wrote(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        for letter in "äöüéñ":
            await agent.call("create_note", iid=SEED.legacy_issue.reference, body=letter * 30_000)
        answer = await agent.call("get_issue", iid=SEED.legacy_issue.iid)
    assert len(answer.encode()) <= 40_000
    assert answer.count("(cut: ") == 5


async def test_pipelines_failed_jobs_logs_and_reports_keep_to_their_limits_of_bytes(
    fresh_sandbox: Sandbox,
) -> None:
    failed = fresh_sandbox.fail_pipeline("feature/verbose-flag")
    async with connect(settings_for(fresh_sandbox, toolsets=("default", "pipelines"))) as agent:
        answer = await agent.call("get_pipeline", pipeline_id=failed.id)
        log = await agent.call("get_job_log", job_id=failed.jobs[-1].id)
        report = await agent.call("get_test_report", pipeline_id=failed.id)
        rows = (await agent.call("list_pipelines")).split("\n")[1:]
    assert len(answer.encode()) <= 350 + 120 * 2
    assert overhead(log, *(line for line in log.splitlines() if line[:1].isdigit())) <= 350
    assert overhead(report, *(line for line in report.splitlines() if line.startswith(">"))) <= 300
    assert [row for row in rows if len(row.encode()) > 120] == []


async def test_a_row_of_my_work_or_of_the_project_keeps_to_120_bytes(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answers = [await agent.call("list_projects"), await agent.call("list_my_work"), await agent.call("list_tags")]
        answers += [await agent.call("list_labels"), await agent.call("search_members")]
        answers += [await agent.call("list_milestones"), await agent.call("list_wiki_pages")]
    titles = [each["title"] for each in get(sandbox, "/issues?per_page=100")]
    for row in (row for answer in answers for row in answer.split("\n")):
        assert overhead(row, *(title for title in titles if title in row)) <= 120, row


async def test_a_search_that_finds_much_keeps_to_40000_bytes_and_says_how_to_get_the_rest(
    fresh_sandbox: Sandbox,
) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        wide = "\n".join(f"needle {number} {'x' * 400}" for number in range(3_000))
        await agent.call(
            "commit_files", branch="wide", ref="main", message="m", actions=[{"path": "w", "content": wide}]
        )
        long = "\n\n\n\n\n\n".join(f"pin {number}" for number in range(50))
        await agent.call("commit_files", branch="wide", message="m", actions=[{"path": "p", "content": long}])
        whole = await agent.call("search_code", search="needle", ref="wide")
        first = await agent.call("search_code", search="pin ", ref="wide")
        second = await agent.call("search_code", search="pin ", ref="wide", page=2)
    assert len(whole.encode()) <= 40_000
    assert "more lines on this page do not fit: search for a longer text" in whole
    assert first.endswith('next: search_code {"search": "pin ", "ref": "wide", "page": 2}')
    assert "p:1: pin 0" in first
    assert "pin 20" not in first
    assert "pin 20" in second
