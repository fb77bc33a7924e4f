"""Plays the full workflow from an issue to a merge request on the sandbox, with the real server and a real client.

The results are read back with plain git and plain HTTP, never through the server or from the sandbox's memory.
"""

import shlex
import tempfile
from pathlib import Path

import click

from gitlab_mcp.cli.demo.agent import StepFailed, run_journey
from gitlab_mcp.cli.demo.job import Job, NoJob
from gitlab_mcp.cli.demo.journey import Journey, LocalClone
from gitlab_mcp.cli.demo.maintainer import Maintainer
from gitlab_mcp.cli.demo.read_back import ReadBack
from gitlab_mcp.repository.git_backend.errors import JOB_PUSH_SETTING
from gitlab_mcp.sandbox import Sandbox, SandboxError

__all__ = ["play", "play_on"]


def play(repo: Path | None, *, job_token: bool = False, push_allowed: bool = True) -> int:
    """Play the journey on a new sandbox, on a copy of `repo` if given.

    With `job_token` it is played in a CI job that has only its job token; `push_allowed` is whether the project lets
    its jobs push. Returns the exit code: 0 if the result is right, 1 if not, 2 if it cannot be played.
    """
    try:
        with Sandbox(repo=repo) as sandbox:
            code = play_on(sandbox, job_token=job_token, push_allowed=push_allowed)
    except SandboxError as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        return 2
    if code != 2:
        again = f"gitlab-mcp-server sandbox{f' --repo {shlex.quote(str(repo))}' if repo else ''}"
        click.echo(f"This GitLab has ended, and its addresses with it. One that stays up until Ctrl-C: {again}")
    return code


def play_on(sandbox: Sandbox, *, job_token: bool = False, push_allowed: bool = True) -> int:
    """Play the journey on `sandbox`. Returns the exit code, as `play` does."""
    try:
        job = Job(sandbox) if job_token else None
    except NoJob as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        return 2
    click.secho(f"A GitLab is up at {sandbox.url}, with project {sandbox.project}.", bold=True)
    try:
        failures = _in_job(sandbox, job, push_allowed=push_allowed) if job else _locally(sandbox)
    except StepFailed as failure:
        failures = [f"The step failed: {failure}"]
    for line in failures:
        click.secho(line, fg="red", err=True)
    if not failures:
        click.secho("\nEverything read back is as it should be.", fg="green", bold=True)
    return 1 if failures else 0


def _locally(sandbox: Sandbox) -> list[str]:
    """Play it with the maintainer's access token; returns a line for each deviation from the plan."""
    maintainer = Maintainer(sandbox)
    read_back = ReadBack(maintainer)
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
        # git and the server show a folder with all symbolic links resolved.
        local = LocalClone(sandbox, Path(folder).resolve())
        plan = run_journey(local.server(), Journey(local.clone, maintainer.default_branch, notes=True).play)
        local.clone.look()
        return _wrong(read_back.check(plan, local.clone.blob_ids(plan), plan.notes) + local.clone.check())


def _in_job(sandbox: Sandbox, job: Job, *, push_allowed: bool) -> list[str]:
    """Play it in a job; returns a line for each deviation from the plan, and one for a refused push."""
    click.secho(f"{job} runs with CI_JOB_TOKEN only, in a shallow, detached clone.", bold=True)
    maintainer = Maintainer(sandbox)
    if push_allowed:
        maintainer.allow_job_pushes()
        click.secho(f"A maintainer of its project has enabled {JOB_PUSH_SETTING}, which is off by default.", bold=True)
    else:
        state = "on" if maintainer.job_pushes_allowed() else "off"
        click.secho(f"The setting of its project is not changed: {JOB_PUSH_SETTING} is {state}.", bold=True)
    read_back = ReadBack(maintainer)
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
        # git and the server show a folder with all symbolic links resolved.
        clone = job.clone(Path(folder).resolve())
        journey = Journey(clone, job.branch, notes=False)
        refusal = ""
        try:
            run_journey(job.server(clone), journey.play)
        except StepFailed as failure:
            refusal = failure.sentence("Allow Git push requests") if not push_allowed else ""
            if not refusal or journey.plan is None:
                raise
        clone.look()
        plan = journey.plan
        if plan is None:
            raise StepFailed("the journey ended without a plan")
        if refusal:
            return [refusal, *_wrong(read_back.check_unchanged(plan) + clone.check())]
        wrong = [] if push_allowed else ["the push was accepted: the project lets its jobs push"]
        return _wrong(wrong + read_back.check(plan, clone.blob_ids(plan), {}, job.user) + clone.check())


def _wrong(lines: list[str]) -> list[str]:
    return [f"WRONG: {line}" for line in lines]
