"""The sandbox as a command: it runs until it is told to end."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import click

from gitlab_mcp.sandbox.sandbox import Sandbox


def serve(port: int, repo: Path | None, knobs: bool, as_json: bool) -> None:
    """Run a sandbox until SIGTERM or SIGINT, after saying how to use it.

    With `as_json` that is one line: {"url", "project", "project_id", "tokens": {name: value}}. Raises
    SandboxError if it cannot be started. Must be called from the main thread.
    """
    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature signal.signal asks for
        ended.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with Sandbox(repo=repo, port=port, knobs=knobs) as sandbox:
            click.echo(_as_json(sandbox) if as_json else _for_people(sandbox))
            sys.stdout.flush()
            ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _as_json(sandbox: Sandbox) -> str:
    shown = {
        "url": sandbox.url,
        "project": sandbox.project,
        "project_id": sandbox.project_id,
        "tokens": sandbox.tokens,
    }
    return json.dumps(shown)


def _for_people(sandbox: Sandbox) -> str:
    token = sandbox.tokens["developer"]
    parts = urlsplit(sandbox.url)
    clone = f"{parts.scheme}://developer:{token}@{parts.netloc}{parts.path}/{sandbox.project}.git"
    others = ", ".join(f"{name} {value}" for name, value in sandbox.tokens.items() if name != "developer")
    return (
        f"The sandbox GitLab is running with project {sandbox.project}. To use it:\n\n"
        f"  export GITLAB_URL={sandbox.url}\n"
        f"  export GITLAB_ACCESS_TOKEN={token}\n"
        f"  export GITLAB_PROJECT={sandbox.project}\n"
        f"  git clone {clone}\n\n"
        f"Other tokens: {others}\n"
        "It forgets everything when it ends: press Ctrl-C."
    )
