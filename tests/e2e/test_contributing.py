"""The example in CONTRIBUTING, copied into a copy of the repository, passes lint and the tests that it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text()
SECTION = PAGE[PAGE.index("## Adding a tool") : PAGE.index("## Tests")]


def copy_of_the_repository(folder: Path) -> None:
    """Copy every file that git tracks or would track, as it is on disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((REPOSITORY / name).read_bytes())


def run(folder: Path, *arguments: str, **variables: str) -> None:
    """Run a Python module in the copy. Fails the test with its output where it ends with an error."""
    env = {**os.environ, "PYTHONPATH": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_contributing_passes_lint_and_tests(tmp_path: Path) -> None:
    copy_of_the_repository(tmp_path)
    function, import_line, test = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    [row] = re.findall(r"^ *```markdown\n *(\|.*\n) *```$", SECTION, re.MULTILINE)

    tools = tmp_path / "gitlab_mcp" / "tools" / "merge_requests.py"
    head, mark, rest = tools.read_text().partition("from gitlab_mcp.render import merge_requests as render\n")
    tools.write_text(f"{head}{mark}{import_line}{rest}\n\n{function}")
    tests = tmp_path / "tests" / "tools" / "test_merge_requests.py"
    tests.write_text(f"{tests.read_text()}\n\n{test}")
    page = tmp_path / "docs" / "job-token.md"
    head, mark, rest = page.read_text().partition("| operation | tool | CI_JOB_TOKEN | access token, scope `api` |\n")
    rule, _, rows = rest.partition("\n")
    page.write_text(f"{head}{mark}{rule}\n{row}{rows}")

    [golden] = re.findall(r"`GOLDEN=update scripts/test ([^`]+)`", SECTION)
    run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", *golden.split(), GOLDEN="update")
    run(tmp_path, "ruff", "check")
    run(tmp_path, "ruff", "format", "--check")
    run(tmp_path, "mypy")
    enough = re.findall(r"tests/[\w./]+", SECTION[SECTION.index("that are enough for one tool") :].split("`.")[0])
    assert len(enough) > 5
    run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", *enough)
