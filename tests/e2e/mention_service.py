"""The whole way of a mention on loopback: the sandbox, a listener process, a runner and the real Claude Code CLI."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitlab_mcp.safety.marker import unmarked
from gitlab_mcp.sandbox import Sandbox
from tests.e2e.job_runner import JobRunner
from tests.e2e.model import Call, Model, Request, Turn
from tests.support.gitlab_requests import get, send
from tests.support.listener import SIGNING_TOKEN, Listener, environ_of, listening, new_trigger_token, write_config
from tests.support.paths import REPOSITORY
from tests.support.seed import SeededItem
from tests.support.templates import TEMPLATE

BOUND = 240.0  # seconds: it means "does not hang"
BOT = "developer"  # whose token the listener and the jobs have; the others are people
INPUTS = ("claude_noteable", "claude_note", "claude_tracking_note", "claude_digest")


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something that happens in another thread or process, within the bound; returns what is true then."""
    end = time.monotonic() + BOUND
    while not (found := condition()):
        assert time.monotonic() < end
        threading.Event().wait(0.1)
    return found


@dataclass
class Gate:
    """Holds the model's first turn until a test lets it go on."""

    asked: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.asked.set()
        self.opened.wait(BOUND)

    def wait(self) -> None:
        """Wait until the model was asked."""
        assert self.asked.wait(BOUND)


@dataclass
class MentionService:
    """What a test looks at while everything runs."""

    gitlab: Sandbox
    listener: Listener
    model: Model
    runner: JobRunner

    def say(self, item: SeededItem, text: str, who: str = "maintainer") -> dict[str, Any]:
        """Write a comment, which GitLab's webhook tells the listener."""
        note: dict[str, Any] = send(self.gitlab, "POST", f"{item.path}/notes", who, body=text)
        return note

    def pipelines(self) -> list[dict[str, Any]]:
        """The pipelines that the listener started, oldest first."""
        found: list[dict[str, Any]] = get(self.gitlab, "/pipelines?source=trigger&sort=asc")
        return found

    def ended(self, count: int = 1) -> list[dict[str, Any]]:
        """The pipelines, once so many have ended and the listener has done all that it does about them."""
        done = ("success", "failed", "canceled")
        until(lambda: sum(one["status"] in done for one in self.pipelines()) >= count)
        for number in range(1, count + 1):
            self.listener.reached("done", number)
        return self.pipelines()

    def thread(self, item: SeededItem, note: dict[str, Any]) -> list[str]:
        """The texts of a comment's thread behind it, without their markers."""
        threads = get(self.gitlab, f"{item.path}/discussions?per_page=100")
        notes = next(each["notes"] for each in threads if note["id"] in [one["id"] for one in each["notes"]])
        return [unmarked(one["body"]) for one in notes if one["id"] > note["id"]]

    def notes(self, item: SeededItem) -> list[str]:
        """The texts of all comments by the bot, oldest first, without their markers."""
        notes = get(self.gitlab, f"{item.path}/notes?per_page=100&sort=asc&activity_filter=only_comments")
        return [unmarked(one["body"]) for one in notes if one["author"]["username"] == BOT]

    def merge_requests(self) -> list[dict[str, Any]]:
        """The merge requests that the bot opened, oldest first, without the seeded one."""
        found = get(self.gitlab, "/merge_requests?sort=asc")
        return [one for one in found if one["author"]["username"] == BOT and one["iid"] > 1]


@contextmanager
def running(folder: Path, script: Callable[[Request], Turn]) -> Iterator[MentionService]:
    """Everything runs for a `with` block; `script` is what the model says."""
    with Sandbox() as gitlab, Model(script) as model:
        configure(gitlab, model)
        config = write_config(folder, gitlab, project=f'label = "claude"\nuser = "{BOT}"')
        environ = environ_of(gitlab, new_trigger_token(gitlab), BOT)
        with (
            listening(config, environ) as listener,
            JobRunner(gitlab, model, {"GITLAB_ACCESS_TOKEN": gitlab.tokens[BOT]}) as runner,
        ):
            kinds = dict.fromkeys(("note_events", "issues_events", "merge_requests_events"), True)
            url = f"http://127.0.0.1:{listener.port}/webhook"
            body = {"url": url, "push_events": False, "signing_token": SIGNING_TOKEN, **kinds}
            send(gitlab, "POST", "/hooks", "maintainer", **body)
            yield MentionService(gitlab, listener, model, runner)


def configure(gitlab: Sandbox, model: Model) -> None:
    """Commit the template and a .gitlab-ci.yml with the header of docs/setup.md to main."""
    page = (REPOSITORY / "docs" / "setup.md").read_text()
    header = page[page.index("spec:\n  inputs:\n    claude_noteable") :].partition("---\n")[0]
    passed = {name: f"$[[ inputs.{name} ]]" for name in INPUTS}
    included = {
        "local": "/templates/claude.yml",
        "inputs": {**passed, "base_url": model.url, "prompt": "Work on what was labeled or assigned."},
    }
    content = f"{header}---\n{json.dumps({'include': [included]})}\n"
    actions = [
        {"action": "update", "file_path": ".gitlab-ci.yml", "content": content},
        {"action": "create", "file_path": "templates/claude.yml", "content": TEMPLATE.read_text()},
    ]
    body = {"branch": "main", "commit_message": "Claude [skip ci]", "actions": actions}
    send(gitlab, "POST", "/repository/commits", "maintainer", **body)


def fix(branch: str, text: str, title: str = "") -> Call:
    """The model commits a file, and opens a merge request where there is a title."""
    action = {"path": "fix.txt", "content": text}
    given: dict[str, Any] = {"branch": branch, "message": "Fix it", "actions": [action]}
    if title:
        given["ref"] = "main"
        given["merge_request"] = {"title": title, "description": "Closes #7"}
    return Call("mcp__gitlab__commit_files", given)
