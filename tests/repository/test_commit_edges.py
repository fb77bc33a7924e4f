"""What is at the edges of commits and comparisons, over both backends: actions that clash, names that git cannot have,
files that became folders, diffs that are too large."""

import re
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.backends import both, settings
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import changes, clone
from tests.support.gitlab_requests import get
from tests.support.settings import checkout, job_settings

ONE = {"path": "x.txt", "content": "x"}


def run(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def push(work: Path, branch: str) -> None:
    """Commit all that was changed in a clone, to a branch that GitLab has then."""
    run(work, "add", "--all")
    run(work, "commit", "-q", "-m", f"for {branch}")
    run(work, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")


def branches(sandbox: Sandbox) -> dict[str, str]:
    return {each["name"]: each["commit"]["id"] for each in get(sandbox, "/repository/branches?per_page=100")}


def move(path: str, origin: str, **more: object) -> dict[str, object]:
    return {"path": path, "action": "move", "previous_path": origin, **more}


CLASHES: list[tuple[list[dict[str, object]], str]] = [
    ([{"path": "zz", "content": "1"}, {"path": "zz/b", "content": "2"}], "zz and zz/b cannot both be files"),
    ([{"path": "zz/b/c", "content": "2"}, {"path": "zz", "content": "1"}], "zz and zz/b/c cannot both be files"),
    ([move("zz/b", "LICENSE"), {"path": "zz", "content": "1"}], "zz and zz/b cannot both be files"),
    ([move("zz", "LICENSE"), {"path": "zz/b", "content": "1"}], "zz and zz/b cannot both be files"),
    ([{"path": "LICENSE", "content": "1"}, {"path": "LICENSE/b", "content": "1"}], "LICENSE and LICENSE/b cannot both"),
    ([move("m1", "LICENSE"), move("m2", "LICENSE")], "LICENSE is moved twice, to m1 and to m2: move it once"),
    (
        [{"path": "LICENSE", "action": "delete"}, move("m2", "LICENSE")],
        "LICENSE is moved to m2 by one action and changed by another: leave the delete out",
    ),
    (
        [{"path": "LICENSE", "content": "new"}, move("m2", "LICENSE")],
        "LICENSE is moved to m2 by one action and changed by another: give its new content to the move",
    ),
    (
        [{"path": "LICENSE", "action": "chmod", "executable": True}, move("m2", "LICENSE")],
        "LICENSE is moved to m2 by one action and changed by another: give executable to the move",
    ),
    ([move("README.md", "LICENSE"), move("m2", "README.md")], "README.md is moved to m2 by one action and changed"),
    ([{"path": "zz", "content": "1"}, move("zz", "LICENSE")], "zz is in actions twice (and LICENSE is to be moved"),
    ([move("LICENSE", "LICENSE")], "LICENSE already exists"),
    ([{"path": "docs/usage.md", "action": "delete"}, {"path": "docs", "content": "1"}], "docs is a folder"),
    ([move("README.md/x", "LICENSE")], "README.md is a file, and nothing can be below it"),
]


@pytest.mark.parametrize(("actions", "told"), CLASHES, ids=[str(actions) for actions, _ in CLASHES])
async def test_actions_that_clash_are_refused_and_nothing_is_sent(
    sandbox: Sandbox, backend: str, actions: list[dict[str, object]], told: str
) -> None:
    before = branches(sandbox)
    async with connect(settings(sandbox, backend)) as agent:
        answer = await agent.refused("commit_files", branch="clash", ref="main", message="m", actions=actions)
    assert told in answer
    assert "GitLab answered" not in answer
    assert branches(sandbox) == before


async def test_a_file_and_a_folder_change_places(sandbox: Sandbox, backend: str, tmp_path: Path) -> None:
    folder = [path for path in clone_paths(sandbox, tmp_path / "main") if path.startswith("docs/")]
    actions = [
        {"path": "docs", "content": "now a file\n"},
        {"path": "README.md/inside.txt", "content": "now a folder\n"},
        {"path": "README.md", "action": "delete"},
        *({"path": path, "action": "delete"} for path in folder),
        move("LICENSE/of/all", "LICENSE"),
        move("tests", "tests/test_config.py"),
    ]
    branch = f"places-{backend}"
    async with connect(settings(sandbox, backend)) as agent:
        await agent.call("commit_files", branch=branch, ref="main", message="m", actions=actions)
    tree = clone(sandbox, branch, tmp_path / "landed")
    assert (tree / "docs").read_text() == "now a file\n"
    assert (tree / "README.md/inside.txt").read_text() == "now a folder\n"
    assert (tree / "LICENSE/of/all").read_bytes() == (tmp_path / "main/LICENSE").read_bytes()
    assert (tree / "tests").read_bytes() == (tmp_path / "main/tests/test_config.py").read_bytes()
    assert len(changes(tree)) == len(folder) + 7


def clone_paths(sandbox: Sandbox, folder: Path) -> list[str]:
    return [path for path in run(clone(sandbox, "main", folder), "ls-files", "-z").split("\0") if path]


async def test_a_file_that_became_a_folder_on_disk_and_the_reverse_are_committed(
    sandbox: Sandbox, backend: str, tmp_path: Path
) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    (work / "LICENSE").unlink()
    (work / "LICENSE/of").mkdir(parents=True)
    (work / "LICENSE/of/all").write_text("text\n")
    (work / "tests/test_config.py").unlink()
    (work / "tests").rmdir()
    (work / "tests").write_text("a file\n")
    branch = f"on-disk-{backend}"
    async with connect(settings(sandbox, backend, working_directory=checkout(work))) as agent:
        answer = await agent.call("commit_files", branch=branch, ref="main", message="m", paths=["**"])
    assert ": 2 added, 2 deleted." in answer
    tree = clone(sandbox, branch, tmp_path / "landed")
    assert changes(tree) == {"LICENSE": "D", "LICENSE/of/all": "A", "tests": "A", "tests/test_config.py": "D"}


async def test_a_folder_on_disk_does_not_take_away_a_file_that_others_added_at_its_place(
    sandbox: Sandbox, backend: str, tmp_path: Path
) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    branch = f"theirs-{backend}"
    async with connect(settings(sandbox, backend, working_directory=checkout(work))) as agent:
        theirs = [{"path": "place", "content": "theirs\n"}]
        await agent.call("commit_files", branch=branch, ref="main", message="m", actions=theirs)
        (work / "place").mkdir()
        (work / "place/mine").write_text("mine\n")
        told = await agent.refused("commit_files", branch=branch, message="m", paths=["**"])
    assert "place/mine cannot be written: place is a file, and nothing can be below it" in told
    assert (clone(sandbox, branch, tmp_path / "landed") / "place").read_text() == "theirs\n"


async def test_a_branch_that_git_cannot_have_beside_another_is_said_to_be_that(sandbox: Sandbox, backend: str) -> None:
    there = f"beside-{backend}/one"
    async with connect(settings(sandbox, backend)) as agent:
        await agent.call("create_branch", branch=there)
        for name in (f"{there}/below", f"beside-{backend}"):
            told = f"git cannot have both the branch {there}, which exists, and {name}:"
            assert told in await agent.refused("create_branch", branch=name)
            assert told in await agent.refused("commit_files", branch=name, ref="main", message="m", actions=[ONE])


NAMES = [
    ("a" * 250, "it has 250 bytes, and the name of a branch at most 249"),
    ("ü" * 125, "it has 250 bytes"),
    ("HEAD", "git reserves HEAD"),
    ("@", "git reserves @"),
    ("refs/heads/main", 'give the plain name of the branch, "main"'),
    ("refs/tags/v1.2.0", 'give the plain name of the branch, "v1.2.0"'),
    ("b\udcff", "an unpaired surrogate"),
]


@pytest.mark.parametrize(("name", "told"), NAMES, ids=[ascii(name[:20]) for name, _ in NAMES])
async def test_a_name_that_no_branch_can_have_is_refused_with_the_reason(
    sandbox: Sandbox, backend: str, name: str, told: str
) -> None:
    before = branches(sandbox)
    sandbox.faults.clear()
    async with connect(settings(sandbox, backend)) as agent:
        assert told in await agent.refused("create_branch", branch=name)
        assert told in await agent.refused("commit_files", branch=name, ref="main", message="m", actions=[ONE])
    assert sandbox.faults.requests() == []
    assert branches(sandbox) == before


async def test_a_branch_of_the_longest_name_can_be(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        await agent.call("commit_files", branch=backend + "a" * 245, ref="main", message="m", actions=[ONE])


WHOLE_NAMES = ("refs/heads/feature/verbose-flag", "heads/feature/verbose-flag", "refs/tags/v1.2.0", "tags/v1.2.0")


@pytest.mark.parametrize("ref", WHOLE_NAMES)
@pytest.mark.parametrize(
    ("tool", "parameter", "arguments"),
    [
        ("list_commits", "ref", {}),
        ("get_file", "ref", {"path": "src/app/cli.py"}),
        ("compare_refs", "head", {"base": "v1.2.0"}),
    ],
    ids=["list_commits", "get_file", "compare_refs"],
)
async def test_a_ref_may_be_named_whole_where_it_is_read(
    sandbox: Sandbox, tool: str, parameter: str, arguments: dict[str, str], ref: str
) -> None:
    rest, git = await both(sandbox, tool, **arguments, **{parameter: ref})
    assert git == rest
    assert "Nothing is at" not in git
    assert "GitLab has no" not in git


async def test_a_tag_that_is_named_by_its_own_id_is_its_commit(sandbox: Sandbox, backend: str) -> None:
    tag = get(sandbox, "/repository/tags/v1.2.0")
    async with connect(settings(sandbox, backend)) as agent:
        await agent.call("create_branch", branch=f"tag-{backend}", ref=tag["target"])
    assert branches(sandbox)[f"tag-{backend}"] == tag["commit"]["id"]


@pytest.mark.parametrize("kind", ["tree", "blob"])
async def test_an_id_that_is_no_commits_is_told_as_not_there(
    sandbox: Sandbox, backend: str, kind: str, tmp_path: Path
) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    identity = run(work, "rev-parse", "HEAD^{tree}" if kind == "tree" else "HEAD:README.md")
    before = branches(sandbox)
    calls: list[tuple[str, dict[str, object]]] = [
        ("list_commits", {"ref": identity}),
        ("compare_refs", {"base": identity, "head": "main"}),
        ("compare_refs", {"base": "main", "head": identity}),
        ("create_branch", {"branch": "at-no-commit", "ref": identity}),
        ("commit_files", {"branch": "at-no-commit", "ref": identity, "message": "m", "actions": [ONE]}),
        ("list_files", {"ref": identity}),
    ]
    async with connect(settings(sandbox, backend)) as agent:
        for tool, arguments in [*calls, *calls]:
            await agent.call("list_commits")
            told = await agent.refused(tool, **arguments)
            expected = ("GitLab has no", "404", "Invalid reference name", "Nothing is at")
            assert any(words in told for words in expected)
    assert branches(sandbox) == before


async def test_a_branch_that_stays_locked_is_said_to_be_locked(fresh_sandbox: Sandbox) -> None:
    allow_job_pushes(fresh_sandbox)
    heads = fresh_sandbox.world.projects[fresh_sandbox.project_id].repository.path / "refs/heads"
    async with connect(job_settings(fresh_sandbox)) as agent:
        await agent.call("create_branch", branch="held")
        for tool, branch, arguments in (
            ("commit_files", "held", {"message": "m", "actions": [ONE]}),
            ("create_branch", "created", {}),
            ("commit_files", "committed", {"ref": "main", "message": "m", "actions": [ONE]}),
        ):
            lock = heads / f"{branch}.lock"
            lock.write_text("")
            told = await agent.refused(tool, branch=branch, **arguments)
            lock.unlink()
            assert "GitLab could not move the branch" in told
            assert "another push holds its lock" in told
            await agent.call(tool, branch=branch, **arguments)


@pytest.mark.parametrize(("first", "last"), [(100, 0), (100, 200), (1, 5000), (3, 5000), (9, 9)])
async def test_lines_beyond_the_end_are_told_of_alike_with_and_without_blame(
    sandbox: Sandbox, first: int, last: int
) -> None:
    lines = {"path": "README.md", "start_line": first, "end_line": last}
    rest, git = await both(sandbox, "get_file", **lines, detail="full")
    assert git == rest
    plain, _ = await both(sandbox, "get_file", **lines)
    if first == 100:
        assert git == plain
        assert "The file has 9 lines; start_line 100 is after its end." in git
    else:
        assert len(git.splitlines()) == len(plain.splitlines())


async def test_a_diff_too_large_for_one_answer_comes_in_the_same_pages_on_both_backends(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    (work / "big.txt").write_text("".join(f"line {number}\n" for number in range(6000)))
    (work / "wide.txt").write_text("a" * 60_000 + "\n")
    (work / "small.txt").write_text("small\n")
    push(work, "large")
    edited = [f"line {number}{'!' if number % 10 == 0 else ''}\n" for number in range(6000)]
    (work / "big.txt").write_text("".join(edited))
    (work / "wide.txt").write_text("b" * 60_000 + "\n")
    (work / "small.txt").write_text("smaller\n")
    push(work, "larger")
    span = {"base": "large", "head": "larger"}
    rest, git = await both(sandbox, "compare_refs", **span)
    assert git == rest
    assert "+line 10!" in git
    assert git.endswith('\nnext: compare_refs {"base": "large", "head": "larger", "page": 2}')
    rest, git = await both(sandbox, "compare_refs", **span, page=3)
    assert git == rest
    assert "+line 5990!" in git
    assert "+smaller" in git
    assert "next: " not in git
    rest, git = await both(sandbox, "compare_refs", **span, paths=["wide.txt"])
    assert git == rest
    for line in ("-aaaa", "+bbbb"):
        assert re.search(rf"(?m)^\{line}.*\n… \(cut: 4,000 of 60,001 bytes shown; get_file reads the line\)$", git)


async def test_a_few_of_many_files_are_compared(sandbox: Sandbox, tmp_path: Path) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    for number in range(300):
        (work / f"many{number}").write_text(f"{number}\n")
    push(work, "many")
    rest, git = await both(sandbox, "compare_refs", base="main", head="many", paths=["many7"])
    assert git == rest
    assert "300 files changed" in git
    assert "## many7 (new) +1 -0" in git
    rest, git = await both(sandbox, "compare_refs", base="main", head="many")
    assert git == rest


async def test_all_kinds_of_differences_are_shown_alike_on_both_backends(sandbox: Sandbox, tmp_path: Path) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    (work / "renamed").write_text("".join(f"line {number}\n" for number in range(50)))
    (work / "became-link").write_text("text\n")
    (work / "was-link").symlink_to("README.md")
    (work / "binary").write_bytes(b"\0" * 99)
    (work / "latin").write_bytes(b"caf\xe9\n")
    push(work, "kinds-old")
    (work / "renamed").rename(work / "renamed-too")
    (work / "renamed-too").write_text((work / "renamed-too").read_text().replace("line 7\n", "line seven\n"))
    for name in ("became-link", "was-link"):
        (work / name).unlink()
    (work / "became-link").symlink_to("README.md")
    (work / "was-link").write_text("text\ndiff --git a/0 b/0\n@@ -1 +1 @@\n")
    (work / "binary").write_bytes(b"\0" * 100)
    (work / "latin").write_bytes(b"caf\xe9s\n")
    (work / "LICENSE").chmod(0o755)
    (work / "empty").write_text("")
    push(work, "kinds-new")
    for paths in ([], ["renamed"], ["renamed-too"], ["became-link"], ["was-link"], ["empty", "LICENSE"]):
        rest, git = await both(sandbox, "compare_refs", base="kinds-old", head="kinds-new", paths=paths)
        assert git == rest
        assert "diff --git a/became" not in git
    assert (
        "renamed from renamed"
        in (await both(sandbox, "compare_refs", base="kinds-old", head="kinds-new", paths=["renamed"]))[1]
    )


async def test_gitattributes_that_is_a_folder_is_no_hindrance(sandbox: Sandbox, backend: str, tmp_path: Path) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    (work / ".gitattributes").mkdir()
    (work / ".gitattributes/file").write_text("x\n")
    push(work, f"odd-{backend}")
    async with connect(settings(sandbox, backend)) as agent:
        await agent.call("commit_files", branch=f"odd-{backend}", message="m", actions=[ONE])


BAD = [
    ({"message": "m\0x"}, "message contains a NUL character"),
    ({"message": "m\ud800x"}, "message contains an unpaired surrogate"),
    ({"actions": [{"path": "a\udcffb.txt", "content": "x"}]}, "a path cannot hold an unpaired surrogate"),
    ({"actions": [move("a\udcffb.txt", "LICENSE")]}, "a path cannot hold an unpaired surrogate"),
    ({"ref": "b\udcff"}, "a name cannot contain an unpaired surrogate"),
]


@pytest.mark.parametrize(("wrong", "told"), BAD, ids=[told for _, told in BAD])
async def test_what_no_commit_can_hold_is_refused(
    sandbox: Sandbox, backend: str, wrong: dict[str, object], told: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        right = {"branch": "no-text", "ref": "main", "message": "m", "actions": [ONE]}
        assert told in await agent.refused("commit_files", **{**right, **wrong})
    assert sandbox.faults.requests() == []


async def test_thousands_of_long_folders_are_committed(sandbox: Sandbox, backend: str) -> None:
    actions = [{"path": f"{number:05d}{'d' * 190}/{'e' * 200}/f", "content": "1"} for number in range(4000)]
    async with connect(settings(sandbox, backend)) as agent:
        answer = await agent.call("commit_files", branch=f"folders-{backend}", ref="main", message="m", actions=actions)
        assert ": 4000 added." in answer
        again = [{"path": action["path"], "content": "2"} for action in actions[:3000]]
        answer = await agent.call("commit_files", branch=f"folders-{backend}", message="m", actions=again)
        assert ": 3000 changed." in answer
