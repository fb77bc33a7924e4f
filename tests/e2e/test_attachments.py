"""A screenshot that is attached to an issue, read by the real Claude Code CLI: the model gets it as an image."""

import base64
import random

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import claude, fresh_place, needs_claude, python_for
from tests.e2e.model import Call, Model
from tests.support.gitlab_requests import send
from tests.support.pictures import png
from tests.support.seed import SEED
from tests.support.uploads import upload

NOISE = random.Random(7)  # noqa: S311  # the same picture in each run
PICTURES = {
    "a screenshot": png(40, 30),
    "one of 3.6 MB": png(1900, 1900, pixels=b"".join(b"\0" + NOISE.randbytes(1900) for _ in range(1900))),
}


@needs_claude
@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES)
def test_a_screenshot_in_an_issue_reaches_the_model_as_an_image(fresh_sandbox: Sandbox, content: bytes) -> None:
    url = upload(fresh_sandbox, "shot.png", content + b"<html>")
    send(fresh_sandbox, "POST", f"{SEED.crash_issue.path}/notes", body=f"It looks so:\n\n![shot]({url})")
    with fresh_place() as place:
        python = python_for(place.user)
        env = {"GITLAB_URL": fresh_sandbox.url, "GITLAB_ACCESS_TOKEN": fresh_sandbox.tokens["developer"]}
        env |= {"GITLAB_PROJECT": fresh_sandbox.project, **python.variables}
        registered = place.run(python.executable, "-m", "gitlab_mcp", "register", env=place.environment(**env))
        assert registered.returncode == 0, registered.stderr
        calls = [Call("mcp__gitlab__get_issue", {"iid": "7"}), Call("mcp__gitlab__get_attachment", {"url": url})]
        with Model(calls) as model:
            done = claude(place, model, env=env)
    assert (done.returncode, done.stdout.strip()) == (0, "DONE"), done.stderr
    issue, attachment = model.requests[-1].results
    assert f"![shot]({url})" in issue.text
    [image] = [block for block in attachment.content if block["type"] == "image"]
    assert image["source"]["type"] == "base64"
    shown = base64.b64decode(image["source"]["data"])
    # The CLI decodes a large picture and makes a smaller one of it.
    is_large = len(content) > 1_000_000
    assert image["source"]["media_type"] == ("image/jpeg" if is_large else "image/png")
    assert shown.startswith(b"\xff\xd8\xff") if is_large else shown == content
