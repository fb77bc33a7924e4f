"""python-gitlab's own functional tests, from a checkout of it, run against a sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox

_MODULES = ("test_issues", "test_merge_requests", "test_branches", "test_repository")
_CONFTEST = Path(__file__).with_name("python_gitlab_conftest.py")


def run(checkout: Path, folder: Path) -> dict[str, str]:
    """Run the tests in `folder`, which is filled with copies; returns "" or what went wrong by the test's name.

    Raises FileNotFoundError if `checkout` does not contain the tests.
    """
    functional = folder / "tests" / "functional"
    (functional / "api").mkdir(parents=True)
    (functional / "fixtures").mkdir()
    source = checkout / "tests" / "functional"
    for name in ("conftest.py", "helpers.py", *(f"api/{module}.py" for module in _MODULES)):
        shutil.copyfile(source / name, functional / name)
    shutil.copyfile(_CONFTEST, functional / "api" / "conftest.py")
    # Their conftest.py imports the fixtures that start GitLab in Docker, which a sandbox does not need.
    for package in (folder / "tests", functional, functional / "api", functional / "fixtures"):
        (package / "__init__.py").touch()
    (functional / "fixtures" / "docker.py").touch()
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder), f"--junitxml={report}"]
    with Sandbox() as sandbox:
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_TOKEN": sandbox.tokens["maintainer"],
        }
        subprocess.run([*command, "tests/functional/api"], cwd=folder, env=environment, check=False)
    return {
        f"{str(case.get('classname')).rpartition('.')[2]}::{case.get('name')}": _result(case)
        for case in ElementTree.parse(report).iter("testcase")  # noqa: S314 - pytest wrote it
    }


def _result(case: ElementTree.Element) -> str:
    kinds = {child.tag for child in case}
    return "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
