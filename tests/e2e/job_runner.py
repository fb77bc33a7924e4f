"""A runner for the sandbox: it takes the jobs that wait, and runs them with gitlab-ci-local and the real Claude Code.

As GitLab's, it knows nothing of pipelines: the sandbox has read the configuration, and hands out one job at a time with
its keywords and its variables. What differs from GitLab's runner:

- gitlab-ci-local runs the job, with the limits that `ci_local` names.
- A job that is canceled gets SIGTERM, and its after_script is run as a job of its own.
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Job, Token
from gitlab_mcp.sandbox.state.predefined_variables import job_variables
from tests.e2e.ci_local import STAND_INS, TIMEOUT, Prepared, installed_server, prepared
from tests.e2e.claude import Place, fresh_place
from tests.e2e.model import Model
from tests.e2e.template_job import NPM, remote

# Keywords that are the runner's own work, or GitLab's.
NOT_RUN = ("rules", "resource_group", "when", "image", "services", "needs", "interruptible", "allow_failure", "stage")
NONE: Mapping[str, str] = MappingProxyType({})
POLL = 0.05  # seconds between two looks at the sandbox, which tells a runner nothing by itself


@dataclass
class Ran:
    """A job that was run, over."""

    job: Job
    log: str
    variables: dict[str, str]
    artifacts: dict[str, bytes] = field(default_factory=dict)


class JobRunner:
    """Takes and runs the jobs of the sandbox while it is entered, one after the other.

    `secrets` are the project's CI/CD variables. An error of its own is raised at the end.
    """

    def __init__(self, sandbox: Sandbox, model: Model, secrets: Mapping[str, str] = NONE) -> None:
        self.ran: list[Ran] = []
        self._sandbox, self._model, self._secrets = sandbox, model, secrets
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="job-runner")
        self._failure: BaseException | None = None

    def __enter__(self) -> "JobRunner":
        self._server = installed_server()
        self._server.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._server.__exit__(kind, error, trace)
        if self._failure is not None and error is None:
            raise self._failure

    def _work(self) -> None:
        try:
            while not self._ended.is_set():
                if (taken := self._sandbox.take_job()) is None:
                    self._ended.wait(POLL)
                else:
                    self._run(*taken)
        except BaseException as error:  # noqa: BLE001  # it is raised in the test
            self._failure = error

    def _run(self, job: Job, token: Token) -> None:
        with fresh_place() as place:
            variables = {**self._secrets, **job_variables(self._sandbox.world, job, token.value)}
            for one in job.pipeline.variables:
                if one["variable_type"] == "file":
                    name = str(one["key"])
                    variables[name] = str(place.write(f"files/{name}", str(one["value"])))
            check_out(place, self._sandbox, job.pipeline.sha, token.value)
            assert job.plan is not None
            code, log = self._execute(place, job, variables, job.plan.definition)
            if job.status == "canceling" and "after_script" in job.plan.definition:
                log += self._after(place, variables, job.plan.definition["after_script"])
            artifacts = collected(place, job.plan.definition.get("artifacts") or {})
            self.ran.append(Ran(job, log, variables, artifacts))
            self._sandbox.finish_job(job, "failed" if code else "success", log.encode(), artifacts)

    def _execute(
        self, place: Place, job: Job, variables: Mapping[str, str], definition: Mapping[str, Any]
    ) -> tuple[int, str]:
        """Run the job until it ends or GitLab cancels or deletes it; its exit code and its log."""
        command = self._prepared(place, variables, job.name, definition)
        process = subprocess.Popen(
            command.command,
            env=command.environment,
            cwd=place.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        told = False
        with process:
            output: list[str] = []
            reader = threading.Thread(target=lambda: output.append(process.stdout.read() if process.stdout else ""))
            reader.start()
            while process.poll() is None:
                gone = job.pipeline.id not in job.project.pipelines
                if (job.status == "canceling" or gone or self._ended.is_set()) and not told:
                    told = True
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(POLL)
                except subprocess.TimeoutExpired:
                    continue
            reader.join(TIMEOUT)
        return process.returncode, command.log or "".join(output)

    def _after(self, place: Place, variables: Mapping[str, str], script: Any) -> str:
        command = self._prepared(place, {**variables, "CI_JOB_STATUS": "canceled"}, "after", {"script": script})
        place.run(*command.command, env=command.environment, timeout=TIMEOUT)
        return command.log

    def _prepared(
        self, place: Place, variables: Mapping[str, str], name: str, definition: Mapping[str, Any]
    ) -> Prepared:
        kept = {key: value for key, value in definition.items() if key not in NOT_RUN}
        # JSON is YAML, so that it is not the sandbox's reader that says how text is written.
        text = json.dumps({name: {**kept, "rules": [{"when": "always"}]}})
        return prepared(place, self._model, variables, job=name, text=text, stand_ins={**STAND_INS, "npm": NPM})


def check_out(place: Place, sandbox: Sandbox, sha: str, token: str) -> None:
    """Clone the project as a runner does: shallow, detached at the commit, and without the token in its remote."""
    place.git("init", "--quiet")
    place.git("remote", "add", "origin", remote(sandbox))
    login = f"gitlab-ci-token:{token}@"
    place.git("fetch", "--quiet", "--depth=20", remote(sandbox, login), sha)
    place.git("checkout", "--quiet", "--detach", "FETCH_HEAD")


def collected(place: Place, artifacts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that a job declares as artifacts, as far as they are there, by path."""
    named = [str(path) for path in artifacts.get("paths", [])]
    files = [file for path in named for file in sorted(place.work.glob(path)) if file.is_file()]
    return {str(Path(file).relative_to(place.work)): file.read_bytes() for file in files}
