"""What a path is called when git reads it back: the same bytes, whatever they are."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.objects import TreeEntry, blob_id, diff_trees, list_all, log
from gitlab_mcp.git.process import until
from gitlab_mcp.git.push import build
from gitlab_mcp.git.remote import Remote
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.git.worktree_index import worktree_index

AUTHOR = Author("Dev", "dev@example.com")
WHEN = 1_790_000_000


@pytest.fixture(scope="module")
def scratch() -> Iterator[ScratchRepository]:
    """A repository of ours that never speaks with anybody."""
    repository = ScratchRepository(Remote("http://127.0.0.1:1/none.git", "token"))
    yield repository
    repository.close()


# Whatever a file may be called on disk: any bytes but NUL and "/".
BYTES = st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\0", b"0").replace(b"/", b"_"))
PIECES = st.sampled_from(
    [b'"', b"\\", b"\n", b"\\n", b"\\042", b"\t", b" ", b"\r", b"\xff", "é".encode(), b"#", b"'", b"-"]
)
NAMES = (BYTES | st.lists(PIECES, min_size=1, max_size=6).map(b"".join)).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
ODD = [
    '"',
    '"a"',
    "\\",
    "a\\",
    "\\\\",
    "a\nb",
    "\n",
    "a\\nb",
    '"\\056git"',
    "\udcff",
    "é",
    " ",
    " a ",
    "\t",
    "'",
    "-r",
    "\r",
]


def made(
    scratch: ScratchRepository, changes: list[Change], parent: str = "", tree: list[TreeEntry] | None = None
) -> str:
    there = {entry.path: entry for entry in tree or []}
    return build(scratch, parent, "m", changes, there, AUTHOR, WHEN, until(60))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(NAMES, min_size=1, max_size=8))
def test_names_go_into_a_commit_and_come_out_unchanged(scratch: ScratchRepository, names: set[str]) -> None:
    paths = {f"{number} {name}/{name}.": f"{number}\n".encode() for number, name in enumerate(sorted(names))}
    commit = made(scratch, [Change("create", path, content) for path, content in paths.items()])
    listed = list_all(scratch, commit, until(60))
    assert {entry.path: entry.id for entry in listed} == {path: blob_id(content) for path, content in paths.items()}
    first, *rest = listed
    moved = Change("move", f"moved {first.path}", previous_path=first.path)
    after = made(scratch, [moved, *(Change("delete", entry.path) for entry in rest)], commit, listed)
    assert [(entry.path, entry.id) for entry in list_all(scratch, after, until(60))] == [(moved.path, first.id)]
    differing = {(each.status, each.new_path) for each in diff_trees(scratch, commit, after, until(60))}
    assert differing == {("A", moved.path), *(("D", entry.path) for entry in listed)}


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_an_odd_name_goes_into_a_commit_and_comes_out_unchanged(scratch: ScratchRepository, name: str) -> None:
    commit = made(
        scratch, [Change("create", f"x/{name}", b"content", executable=True), Change("create", name, b"root")]
    )
    listed = {entry.path: (entry.mode, entry.id) for entry in list_all(scratch, commit, until(60))}
    assert listed == {f"x/{name}": ("100755", blob_id(b"content")), name: ("100644", blob_id(b"root"))}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(NAMES, min_size=1, max_size=8))
def test_files_of_any_name_are_read_from_disk_under_it(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    wanted = {f"{number} {name}.": f"{number} of {len(names)}".encode() for number, name in enumerate(sorted(names))}
    for path, content in wanted.items():
        (root / path).write_bytes(content)
    with worktree_index(root) as repository:
        assert sorted(repository.untracked(["."])) == sorted(wanted)
        assert {path: file.content for path, file in repository.files(list(wanted)).items()} == wanted
        repository.load({path: ("100644", blob_id(content)) for path, content in wanted.items()})
        assert repository.changed(["."]) == ([], [])
        assert repository.untracked(["."]) == []
        gone = sorted(wanted)[0]
        (root / gone).unlink()
        assert repository.changed(["."]) == ([gone], [])


@pytest.mark.parametrize("name", ['"', '"/etc/passwd"', "\\", "\n", "\udcff", '"\\056git/config"'], ids=ascii)
def test_a_file_of_an_odd_name_is_read_from_disk_under_it(tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"its own")
    with worktree_index(tmp_path) as repository:
        assert repository.files([name])[name].content == b"its own"


@pytest.mark.parametrize(
    ("name", "email", "shown"),
    [
        ("A <b> c", "a@x", ("A b c", "a@x")),
        ("<b>", "<a@x>", ("b", "a@x")),
        ("a\nb\x7fc", "a\t@x", ("a b c", "a @x")),
        ("José Ñ", "j@x", ("José Ñ", "j@x")),
        ("<>", "a@x", ("", "a@x")),
    ],
    ids=["inside", "around", "controls", "letters", "nothing else"],
)
def test_what_no_name_in_a_commit_may_hold_is_left_out(
    scratch: ScratchRepository, name: str, email: str, shown: tuple[str, str]
) -> None:
    commit = build(scratch, "", "m", [Change("create", "x", b"x")], {}, Author(name, email), WHEN, until(60))
    [found] = log(scratch, [commit], until(60))
    assert (found.author_name.split(), found.author_email) == (shown[0].split(), shown[1])
    assert (found.committer_name, found.committer_email) == (found.author_name, found.author_email)
    assert found.message.strip() == "m"


def test_equal_arguments_make_the_same_commit_and_others_another(scratch: ScratchRepository) -> None:
    changes = [Change("create", "x", b"x")]
    commit = made(scratch, changes)
    assert made(scratch, changes) == commit
    assert build(scratch, "", "m", changes, {}, AUTHOR, WHEN + 1, until(60)) != commit
    assert build(scratch, "", "n", changes, {}, AUTHOR, WHEN, until(60)) != commit
