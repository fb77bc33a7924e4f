"""Globs mean the same wherever a tool takes them: for files on disk, which git finds, and for files of a diff."""

import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.repository.paths import matcher

FILES = [
    *("README.md", "a.py", "src/a.py", "src/app.md", "src/sub/b.py", "src/sub/deep/c.py", "docs/x.md", "srcs/a.py"),
    *("back\\slash", "[i]/[d].ts", "[x].txt", "sub/[x].txt", "#c", "!d", "e f/g"),
    *("h\u00e9/\u00ef", "tests/src/a.py", "x.py/y"),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("globs")
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(("git", *command), cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    "glob",
    [
        *("*", "**", "*.md", "**/*.md", "*.py", "src", "src/*", "src/**", "src/*.py", "src/**/*.py", "**/a.py"),
        *(
            "src/sub",
            "**/sub/**",
            "README.md",
            "readme.md",
            "a.p?",
            "[ab].py",
            "#c",
            "!d",
            "e f",
            "h\u00e9/*",
            "*/a.py",
        ),
        *("**/src", "\\[x].txt", "[x].txt", "sub/[x].txt", "[x]", "back\\slash", "back\\\\slash", "[i]/[d].ts", "[i]"),
        *("src/sub/deep", "x.py", "nothing", "**/deep/*"),
    ],
)
def test_a_glob_matches_the_same_files_as_for_git(repository: Path, glob: str) -> None:
    command = ("git", "ls-files", "-z", "--", f":(glob){glob}")
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True).stdout
    found = set(listed.decode().split("\0")) - {""}
    matches = matcher([glob], FILES)
    assert {name for name in FILES if matches(name)} == found
