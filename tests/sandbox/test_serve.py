"""The sandbox as a separate process, and as an object that is started more than once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import ENVIRONMENT, Api
from tests.support.machine import default_signals
from tests.support.seed import SEED

ROOT = Path(__file__).parents[2]


def start(tmp_path: Path, as_json: bool) -> subprocess.Popen[str]:
    code = f"from gitlab_mcp.sandbox.http.server import serve; serve(0, None, True, {as_json})"
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=default_signals,
    )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_prints_one_line_of_json_and_leaves_nothing_behind_on_a_signal(tmp_path: Path, sign: signal.Signals) -> None:
    with start(tmp_path, as_json=True) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert set(line) == {"url", "project", "project_id", "tokens"}
        headers = {"Authorization": f"Bearer {line['tokens']['developer']}"}
        response = requests.get(f"{line['url']}/api/v4/projects/{line['project_id']}", headers=headers, timeout=10)
        assert response.json()["path_with_namespace"] == line["project"]
        process.send_signal(sign)
        assert process.wait(5) == 0
        assert process.stdout.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_without_json_it_prints_what_to_export(tmp_path: Path) -> None:
    with start(tmp_path, as_json=False) as process:
        assert process.stdout is not None
        shown = ""
        while "Ctrl-C" not in shown:
            shown += process.stdout.readline()
        process.terminate()
        assert process.wait(5) == 0
    assert "export GITLAB_URL=http://127.0.0.1:" in shown
    assert "export GITLAB_ACCESS_TOKEN=glpat-" in shown
    assert "export GITLAB_PROJECT=acme/app" in shown
    assert "git clone http://developer:glpat-" in shown
    [line] = [line for line in shown.splitlines() if line.split()[:1] == ["job_ended"]]
    assert line.split()[1].startswith("glcbt-")
    assert max(map(len, shown.splitlines())) <= 100


def test_two_sandboxes_run_side_by_side_independently() -> None:
    with Sandbox() as one, Sandbox() as other:
        first, second = Api(one, "developer"), Api(other, "developer")
        with first.session, second.session:
            first.post("/projects/:p/issues", title="here")
            assert len(first.get("/projects/:p/issues")) == 9
            assert len(second.get("/projects/:p/issues")) == 8


def test_the_seed_data_is_the_same_in_every_run() -> None:
    seen = []
    for _ in range(2):
        with Sandbox() as sandbox:
            api = Api(sandbox, "maintainer")
            with api.session:
                texts = [
                    api.call("GET", path).text
                    for path in ("/projects/:p/issues", f"/projects/:p{SEED.merge_request.path}")
                ]
                seen.append([text.replace(sandbox.url, "") for text in texts])
    assert seen[0] == seen[1]


def test_importing_the_package_loads_no_web_server() -> None:
    code = "import sys, gitlab_mcp.sandbox; print(sorted({'uvicorn', 'mcp', 'gitlab', 'starlette'} & set(sys.modules)))"
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
