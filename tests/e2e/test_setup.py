"""From a project with nothing to a merge request by a comment: one command, one answer, one merge, then @claude."""

import os
import socket
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.ci_local import needs_ci_local
from tests.e2e.job_runner import JobRunner
from tests.e2e.mention_service import fix
from tests.e2e.model import Model, Request, Turn
from tests.support.gitlab_requests import get, send
from tests.support.listener import Listener
from tests.support.seed import SEED
from tests.support.setup_command import Maintainer, merge, stored

pytestmark = needs_ci_local


def fixing(request: Request) -> Turn:
    """Open a merge request, then answer."""
    return fix("7-empty-config", "one\n", "Handle an empty file") if request.turn == 0 else "I handle it now."


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


def test_one_command_and_one_answer_then_a_comment_leads_to_a_merge_request(tmp_path: Path) -> None:
    with Sandbox(fault_injection=True) as sandbox, Model(fixing) as model:
        maintainer = Maintainer(tmp_path, sandbox)
        folder = maintainer.home / ".config" / "gitlab-mcp-server" / "listener"
        folder.mkdir(parents=True)
        port = free_port()
        service = f'url = "{sandbox.url}"\nport = {port}\ndatabase = "{tmp_path / "mentions.db"}"\npoll_seconds = 0.5\n'
        (folder / "listen.toml").write_text(service)
        (folder / "listen.toml").chmod(0o600)
        mentions = ("--mentions", f"http://127.0.0.1:{port}/webhook")
        # The server is in the image here: test_templates.py shows how a job installs it from a package registry.
        image = ("--image", "node:24", "--input", "claude_version=2.1.330", "--input", f"base_url={model.url}")
        report = maintainer.runs(*mentions, *image, answers="y\n")
        assert report.code == 0, report.output
        for pipeline in get(sandbox, "/pipelines?source=merge_request_event"):
            send(sandbox, "POST", f"/pipelines/{pipeline['id']}/cancel", "maintainer")
        merge(sandbox)
        secrets = dict(line.split("=", 1) for line in (folder / "listen.env").read_text().splitlines())
        listener = Listener(folder / "listen.toml", {"PATH": os.environ["PATH"], **secrets})
        listener.start()
        try:
            with JobRunner(sandbox, model, stored(sandbox)) as runner:
                send(sandbox, "POST", f"{SEED.crash_issue.path}/notes", "developer", body="@claude fix the crash")
                listener.reached("done")
                log = runner.ran[0].log if runner.ran else f"no job ran: {listener.lines}"
        finally:
            listener.end()
        opened = [row for row in get(sandbox, "/merge_requests") if row["title"] == "Handle an empty file"]
        assert [row["source_branch"] for row in opened] == ["7-empty-config"], log
        assert opened[0]["author"]["username"].startswith(f"project_{sandbox.project_id}_bot_")
        notes = get(sandbox, f"{SEED.crash_issue.path}/notes?per_page=100")
        assert any("I handle it now." in note["body"] and opened[0]["reference"] in note["body"] for note in notes)
