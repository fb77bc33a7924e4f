"""A job of the template in a pipeline that a trigger token started: it waits, is taken, runs, reports, and is canceled.

Here GitLab's own webhook calls the trigger API, which is the way without a listener.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.ci_local import needs_ci_local
from tests.e2e.job_runner import JobRunner
from tests.e2e.model import Call, Model, Request, Turn
from tests.support.gitlab_requests import get, send
from tests.support.seed import SEED
from tests.support.templates import TEMPLATE
from tests.support.tracking_notes import answers, asked, texts

pytestmark = needs_ci_local

BOUND = 240.0  # seconds: it means "does not hang"
CONFIGURATION = {"local": "/templates/claude.yml"}


def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another thread or process, within the bound."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.1)


def configure(sandbox: Sandbox, model: Model) -> None:
    """Include the template on main, for pipelines whose webhook's comment has the handle."""
    rules = [{"if": '$CI_PIPELINE_SOURCE == "trigger" && $TRIGGER_PAYLOAD =~ /"note":"@claude /'}]
    included = {**CONFIGURATION, "inputs": {"base_url": model.url, "rules": rules}}
    # A comment without the handle starts a pipeline too: GitLab counts a refusal as a failure of the webhook.
    always = {"script": ["true"], "rules": [{"if": '$CI_PIPELINE_SOURCE == "trigger"'}]}
    files = {".gitlab-ci.yml": json.dumps({"include": [included], "other": always})}
    files["templates/claude.yml"] = TEMPLATE.read_text()
    actions = [
        {"action": "update" if path == ".gitlab-ci.yml" else "create", "file_path": path, "content": content}
        for path, content in files.items()
    ]
    body = {"branch": "main", "commit_message": "Claude [skip ci]", "actions": actions}
    send(sandbox, "POST", "/repository/commits", "maintainer", **body)


def hook(sandbox: Sandbox) -> None:
    """A webhook for comments that starts a pipeline of main."""
    token = send(sandbox, "POST", "/triggers", "maintainer", description="Comments")["token"]
    url = f"{sandbox.url}/api/v4/projects/{sandbox.project_id}/ref/main/trigger/pipeline?token={token}"
    send(sandbox, "POST", "/hooks", "maintainer", url=url, push_events=False, note_events=True)


@pytest.fixture
def gitlab() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def triggered(sandbox: Sandbox) -> list[dict[str, str]]:
    """The pipelines that the webhook started, oldest first."""
    found: list[dict[str, str]] = get(sandbox, "/pipelines?source=trigger&sort=asc")
    return found


def test_a_comment_starts_a_job_whose_answer_and_artifacts_gitlab_has(gitlab: Sandbox) -> None:
    with Model(["It is an empty list."]) as model:
        configure(gitlab, model)
        hook(gitlab)
        secrets = {"GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"]}
        with JobRunner(gitlab, model, secrets) as runner:
            place = asked(gitlab, SEED.crash_issue, "@claude why does it crash?")
            until(lambda: triggered(gitlab) and triggered(gitlab)[0]["status"] in ("success", "failed"))
    (pipeline,) = [one for one in triggered(gitlab) if one["status"] == "success"][:1]
    jobs = {job["name"]: job for job in get(gitlab, f"/pipelines/{pipeline['id']}/jobs")}
    assert {name: job["status"] for name, job in jobs.items()} == {"claude": "success", "other": "success"}
    (answer,) = texts(gitlab, place)
    assert "It is an empty list." in answer
    ran = next(one for one in runner.ran if one.job.name == "claude")
    result = get(gitlab, f"/jobs/{ran.job.id}/artifacts/claude-result.json")
    assert (result["exit_code"], result["turns"]) == (0, 1), result
    assert gitlab.tokens["developer"] not in ran.log


def test_a_job_that_is_canceled_ends_its_run_and_its_note(gitlab: Sandbox) -> None:
    asking, goes_on = threading.Event(), threading.Event()

    def script(_: Request) -> Turn:
        asking.set()
        goes_on.wait(BOUND)
        return Call("mcp__gitlab__get_issue", {"iid": SEED.crash_issue.iid})

    with Model(script) as model:
        configure(gitlab, model)
        hook(gitlab)
        try:
            with JobRunner(gitlab, model, {"GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"]}):
                place = asked(gitlab, SEED.crash_issue, "@claude wait")
                assert asking.wait(BOUND)
                pipeline = triggered(gitlab)[0]["id"]
                assert len(answers(gitlab, place)) == 1
                send(gitlab, "POST", f"/pipelines/{pipeline}/cancel", "maintainer")
                until(lambda: triggered(gitlab)[0]["status"] == "canceled")
        finally:
            goes_on.set()
    (answer,) = texts(gitlab, place)
    assert "canceled" in answer
