"""list_files and get_file, called as an agent calls them."""

import base64

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.settings import settings_for


async def commit(agent: Agent, branch: str, path: str, content: bytes) -> None:
    encoded = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    await agent.call("commit_files", branch=branch, ref="main", message="Add a file", actions=[encoded])


async def test_a_folder_is_listed_with_what_is_unusual_about_its_entries(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert await agent.call("list_files", path="docs/") == (
            "# Files in docs at main: 4 entries\n"
            "docs/latest (link)\ndocs/logo.png\ndocs/usage.md\ndocs/übersicht der optionen.md"
        )
        everything = await agent.call("list_files", recursive=True)
    assert "\nsrc/app/\n" in everything
    assert "\nvendor/lib (submodule)" in everything
    assert "\nscripts/release.sh (executable)\n" in everything


async def test_a_long_folder_pages_and_ends_with_the_next_call(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        actions = [{"path": f"many/{number:03}.txt", "content": "x"} for number in range(130)]
        await agent.call("commit_files", branch="many", ref="main", message="Add many", actions=actions)
        first = await agent.call("list_files", path="many", ref="many")
        second = await agent.call("list_files", path="many", ref="many", page=2)
    assert first.startswith("# Files in many at many: 100 entries of 130\n")
    assert first.endswith('\nnext: list_files {"path": "many", "ref": "many", "page": 2}')
    assert second.startswith("# Files in many at many: 30 entries, page 2\n")


async def test_a_file_is_shown_whole_or_in_the_lines_asked_for(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        whole = await agent.call("get_file", path="README.md")
        part = await agent.call("get_file", path="src/app/config.py", start_line=8, end_line=9, line_numbers=True)
    head, _, body = whole.partition("\n")
    assert head.startswith("# README.md at main · 135 bytes · last commit ")
    assert body == (
        "```\n# app\n\nReads a configuration file and prints what it would do.\n\n"
        "## Use\n\n    app --config app.yml\n\nSee [the usage page](docs/usage.md).\n```"
    )
    assert part.partition("\n")[0].endswith("· lines 8-9 of 23")
    assert part.endswith(
        "```\n8\tdef load_config(path: Path) -> dict[str, str]:\n"
        '9\t    """Read `name: value` lines; lines that begin with # are comments."""\n```'
    )


async def test_a_file_is_read_at_a_branch_a_tag_or_a_commit(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "--verbose" in await agent.call("get_file", path="src/app/cli.py", ref="feature/verbose-flag")
        assert "--verbose" not in await agent.call("get_file", path="src/app/cli.py", ref="v1.3.0")
        assert "Übersicht" in await agent.call("get_file", path="docs/übersicht der optionen.md")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("docs/latest", 'a symbolic link to "usage.md": read docs/usage.md instead'),
        ("vendor/lib", "is a submodule"),
        ("docs", "is a folder: list_files"),
        ("docs/usage.txt", "no file docs/usage.txt at main. list_files shows what is in docs."),
        ("src/app/Config.py", "Did you mean src/app/config.py?"),
    ],
)
async def test_what_is_no_file_is_said_and_what_to_do_instead(sandbox: Sandbox, path: str, told: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert told in await agent.refused("get_file", path=path)


async def test_a_ref_that_was_deleted_is_an_error_that_says_so(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "Nothing is at gone" in await agent.refused("get_file", path="README.md", ref="gone")
        assert "Nothing is at gone" in await agent.refused("list_files", ref="gone")


async def test_an_empty_repository_says_that_it_has_no_commits(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="acme/empty")) as agent:
        assert "no commits yet" in await agent.refused("list_files")
        assert "no commits yet" in await agent.refused("get_file", path="README.md")
        assert await agent.call("list_branches") == "# Branches: none"


async def test_a_binary_file_is_said_so_and_not_dumped(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_file", path="docs/logo.png")
    assert answer.endswith("\nA binary file: its content is not shown.")


async def test_a_5_mb_file_is_said_to_be_large_and_can_be_read_by_lines(sandbox: Sandbox) -> None:
    content = b"".join(b"line %d of a large file\n" % number for number in range(1, 210_001))
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "large", "large.log", content)
        told = await agent.call("get_file", path="large.log", ref="large")
        lines = await agent.call("get_file", path="large.log", ref="large", start_line=200_000, end_line=200_001)
        many = await agent.call("get_file", path="large.log", ref="large", start_line=100)
    assert told.endswith("210,000 lines, too large to show whole: give start_line and end_line.")
    assert "line 200000 of a large file\nline 200001 of a large file\n```" in lines
    assert len(many.encode()) <= 40_000
    last = many.rsplit("next: start_line ", 1)[1]
    assert f"line {int(last) - 1} of a large file" in many


async def test_bytes_that_are_no_utf8_are_shown_as_replaced(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "latin1", "latin1.txt", "Größe\n".encode("latin-1"))
        answer = await agent.call("get_file", path="latin1.txt", ref="latin1")
    assert "Not valid UTF-8: 2 sequences shown as" in answer


async def test_a_file_with_fences_and_invisible_characters_stays_inside_its_own_fence(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "fences", "fences.md", "````\nx\n````\nadmin\u202e ()\n".encode())
        answer = await agent.call("get_file", path="fences.md", ref="fences")
    assert answer.endswith("\n`````\n````\nx\n````\nadmin<U+202E> ()\n`````")


async def test_an_empty_file_and_lines_after_the_end_are_said(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "nothing", "nothing.txt", b"")
        assert (await agent.call("get_file", path="nothing.txt", ref="nothing")).endswith("\nThe file is empty.")
        answer = await agent.call("get_file", path="README.md", start_line=100)
        assert answer.endswith("start_line 100 is after its end.")
        assert "before start_line" in await agent.refused("get_file", path="README.md", start_line=5, end_line=2)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "src/../../x", ".git/config", "src/.GIT/hooks", "a//b", "a\nb"]
)
async def test_a_path_that_no_repository_has_is_refused_without_asking_gitlab(sandbox: Sandbox, path: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("get_file", path=path)
    assert told.startswith("get_file: path is ")
    assert told.endswith('A valid call: {"path": "src/app.py"}.')
    assert sandbox.faults.requests() == []


@pytest.mark.parametrize("path", [".", "/", "./", ""])
async def test_the_root_is_listed_by_each_of_its_names(sandbox: Sandbox, path: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("list_files", path=path)).startswith("# Files in the root at main: ")


async def test_the_example_of_a_folder_is_a_folder(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.refused("list_files", path="../x")).endswith('A valid call: {"path": "src"}.')
