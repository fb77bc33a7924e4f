"""A listener that runs as a process of its own, and GitLab's deliveries to it."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import send
from tests.support.webhooks import comment

SIGNING_TOKEN = "whsec_" + base64.b64encode(b"the key of the hook of the tests").decode()
GROUP_SIGNING_TOKEN = "whsec_" + base64.b64encode(b"the key of the hook of the group").decode()
JOB = "claude:\n  script: [true]\n  rules:\n    - if: '$CI_PIPELINE_SOURCE == \"trigger\"'\n"
INPUTS = ("claude_noteable", "claude_note", "claude_tracking_note", "claude_digest")
HEADER = "spec:\n  inputs:\n" + "".join(f"    {name}:\n      default: ''\n" for name in INPUTS) + "---\n"
SECONDS = 60.0  # after which a listener hangs


@dataclass
class Listener:
    """A process of `gitlab-mcp-server listen`. `lines` are those of its log, over several starts."""

    config: Path
    environ: Mapping[str, str]
    port: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    _more: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        command = [sys.executable, "-m", "gitlab_mcp", "listen", "--config", str(self.config)]
        self.process = subprocess.Popen(command, env=dict(self.environ), stderr=subprocess.PIPE, text=True)
        began = len(self.lines)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self.wait_for(lambda line: line["event"] in ("listening", "exit"), began)
        assert line["event"] == "listening", self.lines
        self.port = line["port"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            for text in log:
                try:
                    self._add(json.loads(text))
                except ValueError:
                    self._add({"event": text})
        self._add({"event": "exit"})

    def _add(self, line: dict[str, Any]) -> None:
        with self._more:
            self.lines.append(line)
            self._more.notify_all()

    def wait_for(self, is_it: Callable[[dict[str, Any]], bool], began: int = 0) -> dict[str, Any]:
        """The first line of the log, from line `began` on, that `is_it` holds for. Fails when it hangs."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines[began:] if is_it(line)), None)

        with self._more:
            line = self._more.wait_for(found, SECONDS)
        assert line, f"the listener hangs: {self.lines}"
        return line

    def reached(self, state: str, mention: int = 1) -> dict[str, Any]:
        """The line of the log that says that a mention, by its number in the store, reached a state."""
        return self.reached_one_of((state,), mention)

    def reached_one_of(self, states: tuple[str, ...], mention: int) -> dict[str, Any]:
        """The line of the log that says that a mention reached one of several states."""
        return self.wait_for(lambda line: line.get("mention") == mention and line.get("state") in states)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process with a signal; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """A request; the status, and the body as text."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310  # the listener's
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def deliver(self, payload: Any, token: str = SIGNING_TOKEN, **more: str) -> tuple[int, str]:
        """Deliver a payload as GitLab does; the status and the result."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        status, text = self.request("POST", "/webhook", body, signed(body, token) | more)
        return status, json.loads(text)["result"]

    def number_of(self, note: int) -> int:
        """The number in the store of the mention in a comment."""
        with closing(sqlite3.connect(self.config.parent / "mentions.db")) as connection:
            found = connection.execute("SELECT id FROM mentions WHERE key LIKE ?", (f"% note/{note}",)).fetchone()
        assert found, f"comment {note} was not stored"
        number: int = found[0]
        return number

    def numbers(self) -> list[int]:
        """The numbers of all mentions in the store."""
        with closing(sqlite3.connect(self.config.parent / "mentions.db")) as connection:
            return [row[0] for row in connection.execute("SELECT id FROM mentions ORDER BY id")]

    def rows(self) -> list[tuple[Any, ...]]:
        """The state, pipeline and reason of each mention, in the order in which they were stored."""
        with closing(sqlite3.connect(self.config.parent / "mentions.db")) as connection:
            return connection.execute("SELECT state, pipeline, reason FROM mentions ORDER BY id").fetchall()


def signed(body: bytes, token: str = SIGNING_TOKEN, *, at: float | None = None, message: str = "") -> dict[str, str]:
    """The headers of a delivery with a signature."""
    message = message or secrets.token_hex(8)
    timestamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(token.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def configure_ci(sandbox: Sandbox, header: str = "", minimum_role: str = "maintainer") -> None:
    """Give the default branch a job for mentions, behind a header, and say who may set pipeline variables."""
    send(
        sandbox,
        "POST",
        "/repository/commits",
        "maintainer",
        branch="main",
        commit_message="Configure [skip ci]",
        actions=[{"action": "update", "file_path": ".gitlab-ci.yml", "content": f"{header}{JOB}"}],
    )
    settings = sandbox.world.projects[sandbox.project_id].settings
    settings["ci_pipeline_variables_minimum_override_role"] = minimum_role


def new_trigger_token(sandbox: Sandbox) -> str:
    """A trigger token of the sandbox's project, whose owner is its maintainer."""
    token: str = send(sandbox, "POST", "/triggers", "maintainer", description="mentions")["token"]
    return token


def write_config(
    folder: Path, sandbox: Sandbox, extra: str = "", project: str = "", service: str = "answer_seconds = 30.0"
) -> Path:
    """A configuration for the sandbox's project, whose access token is its maintainer's."""
    path = folder / "listen.toml"
    path.write_text(
        f'url = "{sandbox.url}"\ndatabase = "{folder}/mentions.db"\nport = 0\n'
        f"poll_seconds = 0.1\nlost_answer_seconds = 1.0\n{service}\n"
        f'[defaults]\naccess_token_env = "LISTENER_TOKEN"\nsigning_token_env = "SIGNING_TOKEN"\n'
        f'trigger_token_env = "TRIGGER_TOKEN"\n'
        f'[[projects]]\npath = "{sandbox.project}"\n{project}\n{extra}'
    )
    return path


def environ_of(sandbox: Sandbox, trigger_token: str, user: str = "maintainer") -> dict[str, str]:
    """The environment of a listener: its secrets, and what a process needs."""
    return {
        "PATH": os.environ["PATH"],
        "LISTENER_TOKEN": sandbox.tokens[user],
        "TRIGGER_TOKEN": trigger_token,
        "SIGNING_TOKEN": SIGNING_TOKEN,
        "GROUP_SIGNING_TOKEN": GROUP_SIGNING_TOKEN,
    }


@contextmanager
def listening(config: Path, environ: Mapping[str, str]) -> Iterator[Listener]:
    """A listener that runs for a `with` block."""
    listener = Listener(config, environ)
    listener.start()
    try:
        yield listener
    finally:
        if listener.process.poll() is None:
            listener.end(signal.SIGKILL)


def mention(
    gitlab: Sandbox, listener: Listener, text: str = "@claude fix it", who: str = "developer"
) -> tuple[dict[str, Any], int]:
    """Write and deliver a comment; the note, and its number in the store."""
    note, payload = comment(gitlab, text, who)
    assert listener.deliver(payload) == (200, "stored")
    return note, listener.number_of(note["id"])
