"""Brackets in the globs of tools that show diffs: what exists by that name is meant, on both backends."""

import subprocess
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_mcp.repository.paths import matcher, resolve, with_folders
from gitlab_mcp.sandbox import Sandbox
from tests.support import backends
from tests.support.agent import connect
from tests.support.backends import BACKENDS
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import commit, send

UNCHANGED = ("app/[id]/old.ts", "app/[no]/old.ts")
CHANGED = ("app/[id]/new.ts", "app/[...slug]/new.ts", "app/i/new.ts", "app/n/new.ts", "[ab].md", "a.md", "c.md", "d.md")


@pytest.fixture(scope="module")
def iid(sandbox: Sandbox) -> int:
    """A merge request that changes CHANGED, into a branch that has UNCHANGED."""
    allow_job_pushes(sandbox)
    commit(sandbox, "bracket-base", "main", *({"action": "create", "file_path": name} for name in UNCHANGED))
    actions = ({"action": "create", "file_path": name, "content": "x\n"} for name in CHANGED)
    commit(sandbox, "bracket-head", "bracket-base", *actions)
    branches = {"source_branch": "bracket-head", "target_branch": "bracket-base"}
    return int(send(sandbox, "POST", "/merge_requests", title="Brackets", **branches)["iid"])


GLOBS: dict[str, tuple[str, set[str]]] = {
    "a folder and **": ("app/[id]/**", {"app/[id]/new.ts"}),
    "a folder": ("app/[id]", {"app/[id]/new.ts"}),
    "dots": ("app/[...slug]/*.ts", {"app/[...slug]/new.ts"}),
    "a folder without changes": ("app/[no]/**", set()),
    "after a wildcard": ("**/[id]/**", {"app/[id]/new.ts"}),
    "a file": ("[ab].md", {"[ab].md"}),
    "a class": ("[cd].md", {"c.md", "d.md"}),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tool", ["get_merge_request_diff", "compare_refs"])
@pytest.mark.parametrize(("glob", "shown"), GLOBS.values(), ids=GLOBS)
async def test_brackets_mean_what_exists_in_every_tool_that_shows_diffs(
    sandbox: Sandbox, iid: int, backend: str, tool: str, glob: str, shown: set[str]
) -> None:
    about = {"iid": iid} if tool == "get_merge_request_diff" else {"base": "bracket-base", "head": "bracket-head"}
    async with connect(backends.settings(sandbox, backend)) as agent:
        if shown:
            told = await agent.call(tool, paths=[glob], **about)
            assert {name for name in CHANGED if name in told} == shown
        else:
            told = await agent.refused(tool, paths=[glob], **about)
            assert f"matches {glob}" in told


NAMES = ("[id]", "i", "d", "[...x]", "x", "a[0].ts", "a0.ts", "[", "[!a]", "b?")
PATHS = ["/".join(parts) for depth in (1, 2, 3) for parts in product(NAMES, repeat=depth)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sets(st.sampled_from(PATHS), min_size=1, max_size=12))
def test_a_name_that_exists_is_meant_whole_and_as_the_beginning_of_a_glob(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, wanted: set[str]
) -> None:
    """The same files are found on disk, where git looks, and among the files of a diff."""
    files = {path for path in wanted if not any(other.startswith(f"{path}/") for other in wanted)}
    meant = data.draw(st.sampled_from(sorted(with_folders(files))))
    ending = data.draw(st.sampled_from(["", "/**", "/*"] if meant not in files else [""]))
    glob = f"{meant}{ending}"
    below = {path for path in files if path == meant or path.startswith(f"{meant}/")}
    expected = {path for path in below if ending != "/*" or "/" not in path.removeprefix(f"{meant}/")}
    matches = matcher([glob], files)
    assert {path for path in files if matches(path)} == expected
    root = tmp_path_factory.mktemp("names")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    names = with_folders(files)
    [resolved] = resolve([glob], names.__contains__, lambda: names)
    command = ["git", "-C", str(root), "ls-files", "-o", "-z", "--", resolved.pathspec]
    found = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    assert set(found.split("\0")) - {""} == expected
