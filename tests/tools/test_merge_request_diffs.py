"""get_merge_request_diff: the numbers before its lines, what it names instead of showing it, and its pages."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.gitlab_requests import commit, get, send
from tests.support.merge_requests import ADDED, NEW, OLD, open_for_review, text, write
from tests.support.seed import SEED
from tests.support.settings import checkout, job_settings, settings_for


async def everything(agent: Agent, **arguments: Any) -> list[str]:
    """All pages, each got by the call that the one before ends with."""
    pages = [await agent.call("get_merge_request_diff", **arguments)]
    while match := re.search(r"\nnext: get_merge_request_diff .*\"page\": (\d+)}\Z", pages[-1]):
        pages.append(await agent.call("get_merge_request_diff", **arguments, page=int(match[1])))
    return pages


HUNKS = """## src/app/sheets.py +3 -3 (renamed from src/app/pages.py)
```
@@ -1,7 +1,8 @@
1 line 1
2 line 2
3 line 3
4-line 4
4+line 4, new
5+line 4, more
6 line 5
7 line 6
8 line 7
@@ -30,9 +31,8 @@ line 29
31 line 30
32 line 31
33 line 32
33-line 33
34 line 34
35-line 35
35+line 35, new
36 line 36
37 line 37
38 line 38
```"""


@pytest.mark.parametrize("backend", ["REST", "git"])
async def test_each_line_stands_behind_its_number_on_either_backend(
    fresh_sandbox: Sandbox, tmp_path: Path, backend: str
) -> None:
    number = open_for_review(fresh_sandbox, "lines")
    head = get(fresh_sandbox, f"/merge_requests/{number}")["sha"]
    settings = settings_for(fresh_sandbox)
    if backend == "git":
        allow_job_pushes(fresh_sandbox)
        work = clone(fresh_sandbox, "main", tmp_path / "work")
        settings = job_settings(fresh_sandbox, working_directory=checkout(work))
    async with connect(settings) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number)
    assert answer == (
        f"# !{number} at {head[:12]}: 2 files +6 -3\n"
        "Before each line is its number in the new file; before - in the old one (side old).\n"
        "\n## docs/sheets.md +3 -0 (new)\n```\n@@ -0,0 +1,3 @@\n1+# Sheets\n2+\n3+One a page.\n```\n"
        f"\n{HUNKS}"
    )


async def test_files_are_chosen_by_globs_also_by_the_name_they_had(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "chosen")
    async with connect(settings_for(sandbox)) as agent:
        for chosen in ([NEW], [OLD], ["src/**"], "**/*.py"):
            answer = await agent.call("get_merge_request_diff", iid=number, paths=chosen)
            assert answer.endswith(HUNKS)
            assert ADDED not in answer
        told = await agent.refused("get_merge_request_diff", iid=number, paths=["*.rs"])
    assert "names_only lists all" in told


async def test_generated_binary_and_large_files_are_named_and_generated_shown_on_request(
    sandbox: Sandbox,
) -> None:
    binary = {**write("logo.bin", "AAEC/wA="), "encoding": "base64"}
    many = text([f"row {row:06}" for row in range(20_000)])
    more = (write("package-lock.json", "{}\n"), binary, write("rows.txt", many))
    number = open_for_review(sandbox, "named", *more)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number)
        locked = await agent.call("get_merge_request_diff", iid=number, paths=["package-lock.json"])
    assert "logo.bin (binary), package-lock.json (generated), rows.txt (too large)" in answer
    assert "## package-lock.json" not in answer
    assert "1+{}" in locked


async def test_a_collapsed_file_is_named(sandbox: Sandbox) -> None:
    diff = {"old_path": "a.txt", "new_path": "a.txt", "diff": "", "collapsed": True}
    sandbox.faults.fail("GET", "/diffs$", status=200, body=[diff])
    async with connect(settings_for(sandbox)) as agent:
        assert "a.txt (collapsed)" in await agent.call("get_merge_request_diff", iid=SEED.merge_request.iid)


async def test_a_diff_of_two_megabytes_comes_in_pages_that_together_are_all_of_it(sandbox: Sandbox) -> None:
    rows = {f"part{part:02}.txt": [f"{part} {row} {'x' * 60}" for row in range(2_500)] for part in range(11)}
    number = open_for_review(sandbox, "large", *(write(path, text(lines)) for path, lines in rows.items()))
    async with connect(settings_for(sandbox)) as agent:
        pages = await everything(agent, iid=number, paths=["part*"])
        beyond = await agent.call("get_merge_request_diff", iid=number, page=1000)
    assert sum(len(page.encode()) for page in pages) > 2_000_000
    assert max(len(page.encode()) for page in pages) <= 40_000
    shown = [line.partition("+") for page in pages for line in page.split("\n") if re.match(r"\d+\+", line)]
    assert [line for _, _, line in shown] == [line for lines in rows.values() for line in lines]
    assert [int(line) for line, _, _ in shown] == [row for _ in rows for row in range(1, 2_501)]
    assert "There is no page 1000: the last is" in beyond


async def test_a_merge_request_of_a_thousand_files_is_named_in_pages(sandbox: Sandbox) -> None:
    names = [f"many/with/a/rather/long/path/to/file-{name:04}.txt" for name in range(998)]
    number = open_for_review(sandbox, "many", *(write(name, "x\n") for name in names))
    async with connect(settings_for(sandbox)) as agent:
        pages = await everything(agent, iid=number, names_only=True)
        [one] = await everything(agent, iid=number, paths=[names[700]])
    assert max(len(page.encode()) for page in pages) <= 40_000
    assert re.findall(r"^(many/\S+) \+1 -0 \(new\)$", "\n".join(pages), re.MULTILINE) == names
    assert pages[0].startswith(f"# !{number} at ")
    assert "1,000 files +1004 -3 · page 1 of" in pages[0]
    assert f"## {names[700]} +1 -0 (new)" in one


async def test_a_long_line_is_cut_and_a_fence_in_the_code_does_not_end_ours(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "odd", write("odd.md", f"```\n{'y' * 50_000}\n\u202ehidden\n"))
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number, paths=["odd.md"])
    assert "\n````\n@@" in answer
    assert answer.endswith("3+<U+202E>hidden\n````")
    assert "(cut: 4,000 of" in answer


def push_a_link(work: Path) -> None:
    """Push the branch link, in which one file is a link now and another is gone."""
    (work / "LICENSE").unlink()
    (work / "LICENSE").symlink_to("README.md")
    (work / "pyproject.toml").unlink()
    git = ["git", "-C", str(work), "-c", "user.name=D", "-c", "user.email=d@example.com"]
    for command in (["checkout", "-qb", "link"], ["commit", "-qam", "A link"], ["push", "-q", "origin", "link"]):
        subprocess.run([*git, *command], check=True)


async def test_a_file_that_became_a_link_has_both_of_its_sides_on_either_backend(
    fresh_sandbox: Sandbox, tmp_path: Path
) -> None:
    allow_job_pushes(fresh_sandbox)
    work = clone(fresh_sandbox, "main", tmp_path / "work")
    push_a_link(work)
    body = {"source_branch": "link", "target_branch": "main", "title": "A link"}
    number = send(fresh_sandbox, "POST", "/merge_requests", **body)["iid"]
    async with connect(settings_for(fresh_sandbox)) as agent:
        over_rest = await agent.call("get_merge_request_diff", iid=number)
    async with connect(job_settings(fresh_sandbox, working_directory=checkout(work))) as agent:
        assert await agent.call("get_merge_request_diff", iid=number) == over_rest
    assert "\n1+README.md\n" in over_rest
    assert "## pyproject.toml +0 -6 (deleted)" in over_rest


async def test_a_change_of_line_ends_is_seen_and_one_that_every_line_has_is_not(sandbox: Sandbox) -> None:
    before = {"turned": "one\ntwo\n", "unended": "one\ntwo", "dos": "one\r\ntwo\r\n"}
    after = {"turned": "one\r\ntwo\r\n", "unended": "one\ntwo\n", "dos": "one\r\n2\r\n"}
    commit(sandbox, "ends-base", "main", *(write(f"ends/{name}", content) for name, content in before.items()))
    changes = ({**write(f"ends/{name}", content), "action": "update"} for name, content in after.items())
    commit(sandbox, "ends", "ends-base", *changes)
    body = {"source_branch": "ends", "target_branch": "ends-base", "title": "Ends of lines"}
    number = send(sandbox, "POST", "/merge_requests", **body)["iid"]
    async with connect(settings_for(sandbox)) as agent:
        shown = await agent.call("get_merge_request_diff", iid=number)
        compared = await agent.call("compare_refs", base="ends-base", head="ends")
    for answer, first, second in ((shown, "1", "2"), (compared, "", "")):
        assert f"\n{first}+one<U+000D>\n{second}+two<U+000D>\n" in answer
        assert f"\n{second}-two\n\\ No newline at end of file\n{second}+two\n" in answer
        assert f"\n{second}-two\n{second}+2\n" in answer


async def test_a_file_is_chosen_by_the_name_it_is_listed_by_whatever_is_in_it(sandbox: Sandbox) -> None:
    names = ["app/[id]/page.tsx", "back\\slash.txt"]
    number = open_for_review(sandbox, "brackets", *(write(name, "x\n") for name in names))
    async with connect(settings_for(sandbox)) as agent:
        for name in names:
            answer = await agent.call("get_merge_request_diff", iid=number, paths=[name])
            assert f"## {name} +1 -0 (new)" in answer
            assert "1 file" in answer
            assert f"## {name}" in await agent.call("compare_refs", base="main", head="brackets", paths=[name])
        told = await agent.refused("compare_refs", base="main", head="brackets", paths=["nothing/**"])
    assert "None of the files that differ matches nothing/**" in told


async def test_over_git_too_large_and_generated_files_are_named_and_shown_on_request(
    sandbox: Sandbox,
) -> None:
    many = text([f"row {row:06}" for row in range(20_000)])
    binary = {**write("logo-2.bin", "AAEC/wA="), "encoding": "base64"}
    number = open_for_review(sandbox, "large-git", write("yarn.lock", "a\n"), write("large.txt", many), binary)
    async with connect(job_settings(sandbox)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number)
        meant = await agent.call("get_merge_request_diff", iid=number, paths=["large.txt"])
    assert "large.txt (too large)" in answer
    assert "yarn.lock (generated)" in answer
    assert "logo-2.bin (binary)" in answer
    assert "row 000100" not in answer
    assert "\n100+row 000099\n" in meant
