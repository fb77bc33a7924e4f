"""What a path is called when git reads it back: the same bytes, whatever they are."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.objects import TreeEntry, blob_id, diff_trees, list_all, log
from gitlab_mcp.git.push import build
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.git.worktree_index import worktree_index

AUTHOR = Author("Dev", "dev@example.com")
WHEN = 1_790_000_000


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


def made(session: GitSession, changes: list[Change], parent: str = "", tree: list[TreeEntry] | None = None) -> str:
    there = {entry.path: entry for entry in tree or []}
    return build(session, parent, "m", changes, there, AUTHOR, WHEN)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(NAMES, min_size=1, max_size=8))
def test_names_go_into_a_commit_and_come_out_unchanged(session: GitSession, names: set[str]) -> None:
    paths = {f"{number} {name}/{name}=": f"{number}\n".encode() for number, name in enumerate(sorted(names))}
    commit = made(session, [Change("create", path, content) for path, content in paths.items()])
    listed = list_all(session, commit)
    assert {entry.path: entry.id for entry in listed} == {path: blob_id(content) for path, content in paths.items()}
    first, *rest = listed
    moved = Change("move", f"moved {first.path}", previous_path=first.path)
    after = made(session, [moved, *(Change("delete", entry.path) for entry in rest)], commit, listed)
    assert [(entry.path, entry.id) for entry in list_all(session, after)] == [(moved.path, first.id)]
    differing = {(each.status, each.new_path) for each in diff_trees(session, commit, after)}
    assert differing == {("A", moved.path), *(("D", entry.path) for entry in listed)}


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_an_odd_name_goes_into_a_commit_and_comes_out_unchanged(session: GitSession, name: str) -> None:
    commit = made(
        session, [Change("create", f"x/{name}", b"content", executable=True), Change("create", name, b"root")]
    )
    listed = {entry.path: (entry.mode, entry.id) for entry in list_all(session, commit)}
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
    session: GitSession, name: str, email: str, shown: tuple[str, str]
) -> None:
    commit = build(session, "", "m", [Change("create", "x", b"x")], {}, Author(name, email), WHEN)
    [found] = log(session, commit)
    assert (found.author_name.split(), found.author_email) == (shown[0].split(), shown[1])
    assert (found.committer_name, found.committer_email) == (found.author_name, found.author_email)
    assert found.message.strip() == "m"


def test_equal_arguments_make_the_same_commit_and_others_another(session: GitSession) -> None:
    changes = [Change("create", "x", b"x")]
    commit = made(session, changes)
    assert made(session, changes) == commit
    assert build(session, "", "m", changes, {}, AUTHOR, WHEN + 1) != commit
    assert build(session, "", "n", changes, {}, AUTHOR, WHEN) != commit
