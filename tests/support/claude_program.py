"""A program in place of Claude Code: it records what it was started with, and does what a test planned.

It stands for another program and not for code of this project; the real one is in tests/e2e.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import job_environment
from tests.support.git_clones import job_clone

PROGRAM = """#!{python}
import json, os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path({folder!r})
if sys.argv[1:] == ["--version"]:
    print("9.8.7 (Claude Code)")
    sys.exit()
arguments = sys.argv[1:]
after = lambda option: arguments[arguments.index(option) + 1] if option in arguments else ""
text = lambda path: pathlib.Path(path).read_text() if path else ""
configuration = after("--mcp-config")
files = {{}}
given = json.loads(text(configuration))["mcpServers"]["gitlab"]["env"]
for name, path in given.items():
    if name.endswith("_FILE"):
        files[name] = [text(path), oct(os.stat(path).st_mode & 0o777), path]
record = dict(arguments=arguments, environ=dict(os.environ), prompt=sys.stdin.read(), folder=os.getcwd(),
              pid=os.getpid(), instructions=text(after("--append-system-prompt-file")), files=files,
              payload=text(given.get("TRIGGER_PAYLOAD", "")), configuration=json.loads(text(configuration)),
              configuration_file=[configuration, oct(os.stat(configuration).st_mode & 0o777)])
for step in json.loads((folder / "plan.json").read_text()):
    if "print" in step:
        sys.stdout.write(step["print"] + "\\n")
        sys.stdout.flush()
    elif "complain" in step:
        print(step["complain"], file=sys.stderr, flush=True)
    elif "write" in step:
        pathlib.Path(step["write"]).write_text("edited\\n")
    elif "ignore_sigterm" in step:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif "child" in step:
        record["child"] = subprocess.Popen(["sleep", "600"]).pid
    elif "hang" in step:
        (folder / "record.json").write_text(json.dumps(record))
        (folder / "hanging").touch()
        while True:
            signal.pause()
    elif "die" in step:
        (folder / "record.json").write_text(json.dumps(record))
        os.kill(os.getpid(), step["die"])
    elif "exit" in step:
        (folder / "record.json").write_text(json.dumps(record))
        sys.exit(step["exit"])
(folder / "record.json").write_text(json.dumps(record))
"""

Step = dict[str, Any]

HANG: Step = {"hang": True}


def event(kind: str, **fields: Any) -> Step:
    """A line of the stream, as Claude Code writes it."""
    return {"print": json.dumps({"type": kind, **fields})}


def begun(status: str = "connected") -> Step:
    """The first event; `status` is that of the GitLab server."""
    servers = [{"name": "gitlab", "status": status, "source": "user"}]
    return event(
        "system", subtype="init", session_id="of-a-test", model="opus", tools=["Bash"], mcp_servers=servers,
        claude_code_version="9.8.7", cwd="/builds/acme/app",
    )  # fmt: skip


def said(text: str) -> Step:
    """A text of the model."""
    return event("assistant", message={"id": "msg_1", "content": [{"type": "text", "text": text}]})


def retried(status: int, attempt: int) -> Step:
    """A request to the model's API failed and is repeated."""
    return event(
        "system", subtype="api_retry", attempt=attempt, max_retries=10, retry_delay_ms=100, error_status=status,
        error="an error",
    )  # fmt: skip


def ended(text: str = "All done.", **fields: Any) -> Step:
    """The last event, of a success unless `fields` say otherwise."""
    usual = {"subtype": "success", "is_error": False, "result": text, "num_turns": 3, "total_cost_usd": 0.31}
    usual |= {"duration_ms": 1500, "session_id": "of-a-test", "terminal_reason": "completed"}
    return event("result", **{**usual, **fields})


@dataclass(frozen=True)
class ClaudeJob:
    """A CI job of the sandbox's project in which `claude` is the program of this module."""

    folder: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def checkout(self) -> Path:
        """The job's clone."""
        return self.folder / "work"

    def plan(self, *steps: Step) -> None:
        """Set what claude does when it is started."""
        (self.folder / "plan.json").write_text(json.dumps(steps))

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        return [sys.executable, "-m", "gitlab_mcp", "run", *arguments]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a run."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Do a whole run; `stdout` is the log."""
        with self.start(*arguments) as process:
            try:
                log, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, log)

    @property
    def was_started(self) -> bool:
        """Whether claude was started."""
        return (self.folder / "record.json").exists()

    @property
    def record(self) -> dict[str, Any]:
        """What claude was started with."""
        recorded: dict[str, Any] = json.loads((self.folder / "record.json").read_text())
        return recorded

    @property
    def server_environ(self) -> dict[str, str]:
        """The environment of our server, with what its files contained."""
        tokens = {name.removesuffix("_FILE"): content for name, (content, _, _) in self.record["files"].items()}
        payload = {"TRIGGER_PAYLOAD": self.record["payload"]} if self.record["payload"] else {}
        return {**self.record["environ"], **tokens, **payload}

    @property
    def left(self) -> list[str]:
        """What is in the folder for temporary files."""
        return sorted(path.name for path in (self.folder / "tmp").iterdir())


def claude_job(sandbox: Sandbox, folder: Path, **more: str) -> ClaudeJob:
    """A job with a clone of main; claude does nothing but end well until it gets a plan."""
    for name in ("bin", "home", "tmp"):
        (folder / name).mkdir()
    program = folder / "bin" / "claude"
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    job_clone(sandbox, folder / "work")
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "CI_DEFAULT_BRANCH": "main", "NO_PROXY": "*"}
    own |= {
        "CI_JOB_ID": "602",
        "ANTHROPIC_API_KEY": "key-of-the-model",
        "PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin",
    }
    job = ClaudeJob(folder, job_environment(sandbox, folder / "work", **{**own, **more}))
    job.plan(begun(), said("Looking."), ended())
    return job
