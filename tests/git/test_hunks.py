"""Hunks are what git diff itself prints, for any content, mode and name."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.hunks import patches
from gitlab_mcp.git.objects import FileDiff, diff_trees
from gitlab_mcp.git.push import build
from gitlab_mcp.git.session import GitSession

Files = Mapping[str, bytes]


def commit(session: GitSession, files: Files) -> str:
    changes = [Change("create", path, content, executable=path.endswith("x")) for path, content in files.items()]
    return build(session, "", "m", changes, {}, Author("Dev", "d@x"), 1_790_000_000)


def run(folder: Path, *arguments: str) -> bytes:
    plain = {"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=plain).stdout


def by_git(session: GitSession, one: FileDiff, old: str, new: str) -> str:
    """The hunks that `git diff` prints for one file that did not get another name."""
    folder = session.directory()
    printed = run(folder, "diff", "--no-color", "--no-renames", old, new, "--", f":(literal){one.new_path}")
    text = printed.decode("utf-8", "replace")
    begin = text.find("\n@@ ")
    if begin >= 0:
        return text[begin + 1 :]
    return "Binary files differ\n" if "\nBinary files " in text else ""


LINES = st.lists(
    st.sampled_from(
        ["a\n", "b\n", "\n", "-- x\n", "++ y\n", "@@ -1 +1 @@\n", "diff --git a/0 b/0\n", "é\r\n", "\\ No\n", "c"]
    ),
    max_size=25,
)
CONTENTS = LINES.map(lambda lines: "".join(lines).encode()) | st.binary(max_size=40)
NAMES = st.sampled_from(["a", "bx", "dir/c", 'quo"te', "new\nline", "0", "12 b", "é"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, CONTENTS, max_size=6), st.dictionaries(NAMES, CONTENTS, max_size=6))
def test_the_hunks_of_every_file_are_those_of_git_diff(session: GitSession, before: Files, after: Files) -> None:
    old, new = commit(session, before), commit(session, after)
    differences = diff_trees(session, old, new)
    assert {each.new_path for each in differences} == {
        path for path in {*before, *after} if before.get(path) != after.get(path)
    }
    found = patches(session, differences)
    assert found == [by_git(session, each, old, new) for each in differences]


def test_more_files_than_ten_are_not_mixed_up(session: GitSession) -> None:
    numbers = range(120)
    old = commit(session, {f"{number:03}": b"%d\nkept\n" % number for number in numbers})
    new = commit(session, {f"{number:03}": b"%d\nkept\n" % (number + 1000) for number in numbers})
    found = patches(session, diff_trees(session, old, new))
    assert found == [f"@@ -1,2 +1,2 @@\n-{number}\n+{number + 1000}\n kept\n" for number in numbers]


def test_of_a_file_with_another_name_only_what_differs_is_shown(session: GitSession) -> None:
    old = commit(session, {"old": b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"})
    new = commit(session, {"new": b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n"})
    [found] = diff_trees(session, old, new, renames=True)
    assert (found.status, found.old_path, found.new_path) == ("R", "old", "new")
    assert patches(session, [found]) == ["@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"]


def test_of_a_file_that_became_a_link_what_is_deleted_comes_first(session: GitSession) -> None:
    folder = session.directory()
    old = commit(session, {"a": b"target"})
    identity = run(folder, "rev-parse", f"{old}:a").decode().strip()
    for sides in (("100644", "120000"), ("120000", "100644")):
        one = FileDiff("T", *sides, identity, identity, "a", "a")
        lines = patches(session, [one])[0].splitlines()
        assert [line for line in lines if line[0] in "-+"] == ["-target", "+target"]


def test_a_change_of_the_mode_alone_has_no_hunk(session: GitSession) -> None:
    folder = session.directory()
    identity = run(folder, "rev-parse", f"{commit(session, {'a': b'1'})}:a").decode().strip()
    one = FileDiff("M", "100644", "100755", identity, identity, "a", "a")
    assert patches(session, [one]) == [""]


def test_a_submodule_is_shown_as_gits_line_about_its_commit(session: GitSession) -> None:
    one = FileDiff("M", "160000", "160000", "1" * 40, "2" * 40, "sub", "sub")
    shown = f"@@ -1 +1 @@\n-Subproject commit {'1' * 40}\n+Subproject commit {'2' * 40}\n"
    assert patches(session, [one]) == [shown]
