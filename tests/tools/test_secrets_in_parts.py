"""A secret of the run that stands in what GitLab has: it is not shown in part either."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.seed import SEED
from tests.support.settings import settings_for

SECRET = "SUPERSECRETVALUE0123456789abcdef"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def pieces() -> list[str]:
    """What would tell of the secret."""
    return [SECRET[start : start + 6] for start in range(len(SECRET) - 5)]


async def commit(sandbox: Sandbox, branch: str, content: str) -> None:
    """A file that holds the secret, committed by somebody who does not have to hide it."""
    async with connect(settings_for(sandbox)) as agent:
        actions = [{"path": "s.txt", "content": content}]
        await agent.call("commit_files", branch=branch, ref="main", message="m", actions=actions)


async def shown(agent: Agent, tool: str, **arguments: object) -> str:
    """An answer, in which nothing tells of the secret."""
    answer = await agent.call(tool, **arguments)
    assert [piece for piece in pieces() if piece in answer] == []
    return answer


@pytest.mark.parametrize("column", [1, 8, 12, 20])
async def test_of_a_line_that_is_shown_from_a_column_on_the_secret_is_removed_first(
    sandbox: Sandbox, column: int
) -> None:
    await commit(sandbox, f"column-{column}", f"{'x' * 10}{SECRET} end\n")
    async with connect(settings_for(sandbox, secrets=(SECRET,))) as agent:
        answer = await shown(agent, "get_file", path="s.txt", ref=f"column-{column}", start_column=column)
    assert answer.endswith(f"\n```\n{f'{chr(120) * 10}[token removed] end'[column - 1 :]}\n```")


async def test_a_long_line_with_a_secret_where_it_is_cut_shows_no_part_of_it(sandbox: Sandbox) -> None:
    await commit(sandbox, "long", f"{'x' * 38_490}{SECRET} end\n")
    async with connect(settings_for(sandbox, secrets=(SECRET,))) as agent:
        first = await shown(agent, "get_file", path="s.txt", ref="long")
        column = int(first.rpartition("start_column ")[2])
        assert "end\n```" in await shown(agent, "get_file", path="s.txt", ref="long", start_column=column)


async def test_lines_from_within_a_private_key_are_removed_and_others_keep_their_numbers(sandbox: Sandbox) -> None:
    await commit(sandbox, "key", f"before\n{KEY}after\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_file", path="s.txt", ref="key", start_line=3, line_numbers=True)
    assert answer.endswith("```\n3\t[token removed]\n4\t[token removed]\n5\t[token removed]\n6\tafter\n```")


async def test_code_that_names_the_beginning_of_a_private_key_is_shown(sandbox: Sandbox) -> None:
    await commit(sandbox, "names", 'if "-----BEGIN PRIVATE KEY-----" in text:\n    print("found.")\n')
    async with connect(settings_for(sandbox)) as agent:
        assert 'print("found.")' in await agent.call("get_file", path="s.txt", ref="names")


async def test_a_line_that_a_search_found_is_cut_after_the_secret_was_removed(sandbox: Sandbox) -> None:
    await commit(sandbox, "found", f"needle {'x' * 280}{SECRET} end\n")
    async with connect(settings_for(sandbox, secrets=(SECRET,))) as agent:
        assert "[token remo" in await shown(agent, "search_code", search="needle", ref="found")


async def test_titles_and_descriptions_are_cut_after_the_secret_was_removed(fresh_sandbox: Sandbox) -> None:
    issue = fresh_sandbox.world.projects[fresh_sandbox.project_id].issues[7]
    issue.title = f"{'t' * 190}{SECRET}"
    issue.description = f"{'d' * 15_930}{SECRET}{'e' * 9_000}"
    async with connect(settings_for(fresh_sandbox, secrets=(SECRET,))) as agent:
        await shown(agent, "list_issues")
        await shown(agent, "get_issue", iid=SEED.crash_issue.iid)


async def test_a_secret_that_begins_like_another_one_leaves_nothing_of_it(sandbox: Sandbox) -> None:
    await commit(sandbox, "both", f"{SECRET}\n")
    async with connect(settings_for(sandbox, secrets=(SECRET, SECRET[:10]))) as agent:
        await shown(agent, "get_file", path="s.txt", ref="both")
