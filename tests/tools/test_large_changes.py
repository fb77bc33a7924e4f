"""Large differences, read as an agent reads them: bounded, every line once, and what is not shown has its name."""

import re
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.continuations import fenced, followed
from tests.support.gitlab_requests import commit, send
from tests.support.settings import job_settings, settings_for

BACKENDS = {"REST": settings_for, "git": job_settings}
MANY = [f"many/with/a/rather/long/path/to/file-{number:04}.txt" for number in range(1_000)]
PARTS = {f"part{part:02}.txt": [f"{part} {row} {'x,' * 90}" for row in range(900)] for part in range(12)}
SINGLE = [f"{row} {'y' * 190}" for row in range(10_500)]


@pytest.fixture
def settings(sandbox: Sandbox, backend: str) -> Settings:
    return BACKENDS[backend](sandbox)


def opened(sandbox: Sandbox, branch: str, files: dict[str, list[str]], base: str = "main") -> int:
    """The iid of a merge request that adds files."""
    actions: list[dict[str, Any]] = [
        {"action": "create", "file_path": path, "content": "".join(f"{line}\n" for line in lines)}
        for path, lines in files.items()
    ]
    commit(sandbox, branch, base, *actions)
    number = send(sandbox, "POST", "/merge_requests", source_branch=branch, target_branch=base, title=branch)["iid"]
    assert isinstance(number, int)
    return number


@pytest.fixture(scope="module")
def parts(sandbox: Sandbox) -> int:
    return opened(sandbox, "parts", PARTS)


@pytest.fixture(scope="module")
def single(sandbox: Sandbox) -> int:
    return opened(sandbox, "single", {"single.txt": SINGLE})


@pytest.fixture(scope="module")
def many(sandbox: Sandbox) -> int:
    return opened(sandbox, "many", {name: ["x"] for name in MANY})


def added(answers: list[str]) -> list[str]:
    """The lines that answers show as added, in order, without their numbers."""
    rows = (row for answer in answers for code in fenced(answer) for row in code.split("\n"))
    return [match[1] for row in rows if (match := re.fullmatch(r"\d*\+(.*)", row))]


async def test_a_comparison_of_2_mb_is_read_whole_by_the_calls_that_its_answers_name(
    sandbox: Sandbox, parts: int
) -> None:
    assert parts
    async with connect(settings_for(sandbox)) as agent:
        answers = [answer async for answer in followed(agent, "compare_refs", base="main", head="parts")]
        last = await agent.call("compare_refs", base="main", head="parts", page=1_000)
    assert added(answers) == [line for lines in PARTS.values() for line in lines]
    assert sum(len(answer.encode()) for answer in answers) > 2_000_000
    assert answers[0].startswith(f"# main...parts: 1 commit, 12 files changed · page 1 of {len(answers)}\n")
    assert f"There is no page 1000: the last is {len(answers)}." in last
    async with connect(job_settings(sandbox)) as agent:
        for page in (1, 2, len(answers) // 2, len(answers)):
            assert await agent.call("compare_refs", base="main", head="parts", page=page) == answers[page - 1]


async def test_a_diff_of_2_mb_in_many_files_is_the_same_over_git(sandbox: Sandbox, parts: int) -> None:
    async with connect(settings_for(sandbox)) as over_rest, connect(job_settings(sandbox)) as over_git:
        first = await over_rest.call("get_merge_request_diff", iid=parts)
        pages = re.search(r" · page 1 of (\d+)\n", first)
        assert pages is not None
        for page in (1, 2, int(pages[1])):
            answer = await over_rest.call("get_merge_request_diff", iid=parts, page=page)
            assert len(answer.encode()) <= 40_000
            assert await over_git.call("get_merge_request_diff", iid=parts, page=page) == answer
    assert added([answer])[-1] == PARTS["part11.txt"][-1]


async def test_a_file_whose_diff_is_2_mb_is_shown_whole_over_git_where_it_is_meant(
    sandbox: Sandbox, single: int
) -> None:
    async with connect(job_settings(sandbox)) as agent:
        assert "single.txt (too large)" in await agent.call("get_merge_request_diff", iid=single)
        meant = {"iid": single, "paths": ["single.txt"]}
        answers = [answer async for answer in followed(agent, "get_merge_request_diff", **meant)]
        compared = await agent.call("compare_refs", base="main", head="single", page=2)
    assert added(answers) == SINGLE
    assert re.search(rf"1 file \+{len(SINGLE)} -0 · page 1 of {len(answers)}\n", answers[0])
    assert added([compared])[0] == SINGLE[len(added([await first_page(sandbox)]))]


async def first_page(sandbox: Sandbox) -> str:
    async with connect(job_settings(sandbox)) as agent:
        return await agent.call("compare_refs", base="main", head="single")


async def test_a_file_whose_diff_gitlab_omits_is_named_with_the_call_that_reads_it(
    sandbox: Sandbox, single: int
) -> None:
    async with connect(settings_for(sandbox)) as agent:
        shown = await agent.call("get_merge_request_diff", iid=single)
        compared = await agent.call("compare_refs", base="main", head="single")
        head = re.match(r"# !\d+ at ([0-9a-f]{12})", shown)
        assert head is not None
        assert f"get_file with ref {head[1]} reads the others): single.txt (too large)" in shown
        assert "Too large: GitLab does not show it. get_file reads single.txt at single." in compared
        for ref in (head[1], "single"):
            answer = await agent.call("get_file", path="single.txt", ref=ref, start_line=10_500)
            assert fenced(answer) == [SINGLE[-1]]


@pytest.mark.parametrize("backend", ["REST", "git"])
async def test_a_merge_request_of_1000_files_names_each_once_with_and_without_its_lines(
    settings: Settings, many: int
) -> None:
    async with connect(settings) as agent:
        whole = await agent.call("get_merge_request", iid=many)
        named = [answer async for answer in followed(agent, "get_merge_request_diff", iid=many, names_only=True)]
        lines = [answer async for answer in followed(agent, "get_merge_request_diff", iid=many)]
        compared = [answer async for answer in followed(agent, "compare_refs", base="main", head="many")]
    assert len(whole.encode()) <= 5_000
    assert "1000 files changed" in whole
    assert re.findall(r"(?m)^(many/\S+) \+1 -0 \(new\)$", "\n".join(named)) == MANY
    assert re.findall(r"(?m)^## (many/\S+) \+1 -0 \(new\)$", "\n".join(lines)) == MANY
    assert re.findall(r"(?m)^## (many/\S+) \(new\) \+1 -0$", "\n".join(compared)) == MANY
    assert added(lines) == added(compared) == ["x"] * 1_000


async def test_a_merge_request_of_1000_files_says_who_lists_them_all(sandbox: Sandbox, many: int) -> None:
    async with connect(settings_for(sandbox)) as agent:
        whole = await agent.call("get_merge_request", iid=many)
    assert re.search(r"## Changed files \(the first \d+; get_merge_request_diff with names_only lists all\)", whole)


async def test_files_beyond_what_gitlab_lists_are_mentioned_and_reached_by_commit(sandbox: Sandbox, many: int) -> None:
    assert many
    number = opened(sandbox, "more", {f"more-{each:03}": ["y"] for each in range(100)}, base="many")
    send(sandbox, "PUT", f"/merge_requests/{number}", target_branch="main")
    told = "GitLab lists no more files than these: compare_refs, commit by commit (list_commits), shows the others."
    async with connect(settings_for(sandbox)) as agent:
        answers = [
            await agent.call("get_merge_request_diff", iid=number),
            await agent.call("get_merge_request_diff", iid=number, names_only=True),
            await agent.call("compare_refs", base="main", head="more"),
        ]
        assert [told in answer for answer in answers] == [True, True, True]
        assert [re.search(r"1,000\+ files", answer) is not None for answer in answers] == [True, True, True]
        rest = [answer async for answer in followed(agent, "compare_refs", base="many", head="more")]
    assert added(rest) == ["y"] * 100
    async with connect(job_settings(sandbox)) as agent:
        over_git = await agent.call("get_merge_request_diff", iid=number, names_only=True)
    assert "1,100 files" in over_git
    assert told not in over_git


async def test_names_of_omitted_files_and_commit_titles_leave_room_for_the_next_call(
    sandbox: Sandbox,
) -> None:
    generated = {f"{'漢' * 80}{each:03}/package-lock.json": ["{}"] for each in range(150)}
    number = opened(sandbox, "wide", {**generated, "z.txt": [f"{row} {'z' * 90}" for row in range(1_000)]})
    for each in range(40):
        action = {"action": "create", "file_path": f"w{each}", "content": "w\n"}
        send(sandbox, "POST", "/repository/commits", branch="wide", commit_message="字" * 140, actions=[action])
    async with connect(settings_for(sandbox)) as agent:
        answers = [answer async for answer in followed(agent, "get_merge_request_diff", iid=number)]
        compared = [answer async for answer in followed(agent, "compare_refs", base="main", head="wide")]
    assert "names_only lists them all" in answers[0]
    assert "older ones: list_commits lists them" in compared[0]
    assert [line for line in added(answers) if line.endswith("z")] == [f"{row} {'z' * 90}" for row in range(1_000)]
    # GitLab collapses the largest files of a comparison of several commits; the merge request's diff has them.
    collapsed = "GitLab collapses it here: compare_refs, commit by commit (list_commits), shows it. get_file reads"
    assert f"## z.txt (new, collapsed)\n{collapsed} z.txt at wide." in "".join(compared)


async def test_a_line_of_a_diff_that_is_cut_says_what_reads_it(sandbox: Sandbox) -> None:
    number = opened(sandbox, "line", {"long.txt": ["q" * 60_000, "end"]})
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number)
        compared = await agent.call("compare_refs", base="main", head="line")
        read = [answer async for answer in followed(agent, "get_file", path="long.txt", ref="line")]
    for shown in (answer, compared):
        assert "60,002 bytes shown; get_file reads the line)" in shown or "60,001 bytes shown; get_file" in shown
        assert shown.endswith("+end\n```")
    assert "".join(code for found in read for code in fenced(found)) == f"{'q' * 60_000}\nend"
