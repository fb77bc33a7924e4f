"""The whole way from an issue to a merge request, played on the sandbox by the real server and a real client.

What it claims at the end is read back with plain git and plain HTTP, never through the server or the sandbox's memory.
"""

import tempfile
from pathlib import Path

import click

from gitlab_mcp.cli.demo.agent import StepFailed, accompany
from gitlab_mcp.cli.demo.job import Job, NoJob
from gitlab_mcp.cli.demo.journey import DeskJourney, JobJourney, desk_server
from gitlab_mcp.cli.demo.maintainer import SWITCH, Maintainer
from gitlab_mcp.cli.demo.read_back import ReadBack
from gitlab_mcp.sandbox import Sandbox, SandboxError

__all__ = ["play", "play_on"]


def play(repo: Path | None, *, job_token: bool = False, push_allowed: bool = True) -> int:
    """Play the journey on a new sandbox, on a copy of `repo` if given.

    With `job_token` it is played in a CI job that has nothing else; `push_allowed` says whether the project lets its
    jobs push. Returns the exit code: 0 if all was right.
    """
    try:
        with Sandbox(repo=repo) as sandbox:
            return play_on(sandbox, job_token=job_token, push_allowed=push_allowed)
    except SandboxError as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        return 2


def play_on(sandbox: Sandbox, *, job_token: bool = False, push_allowed: bool = True) -> int:
    """Play the journey on `sandbox`. Returns the exit code: 0 if what was read back is right."""
    try:
        job = Job(sandbox) if job_token else None
    except NoJob as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        return 2
    click.secho(f"A GitLab is up at {sandbox.url}, with project {sandbox.project}.", bold=True)
    try:
        failures = _in_job(sandbox, job, push_allowed=push_allowed) if job else _at_desk(sandbox)
    except StepFailed as failure:
        failures = [f"The step failed: {failure}"]
    for line in failures:
        click.secho(line, fg="red", err=True)
    if not failures:
        click.secho("\nEverything read back is as it should be.", fg="green", bold=True)
    return 1 if failures else 0


def _at_desk(sandbox: Sandbox) -> list[str]:
    """Play it with the maintainer's access token; what is not as it should be, a line each."""
    maintainer = Maintainer(sandbox)
    read_back = ReadBack(maintainer)
    plan, contents = accompany(desk_server(sandbox), DeskJourney(maintainer.default_branch).play)
    return _wrong(read_back.check(plan, contents, plan.notes))


def _in_job(sandbox: Sandbox, job: Job, *, push_allowed: bool) -> list[str]:
    """Play it in a job; what is not as it should be, a line each, a push that is not allowed among it."""
    click.secho(f"{job} runs with CI_JOB_TOKEN alone, in a shallow, detached clone.", bold=True)
    maintainer = Maintainer(sandbox)
    if push_allowed:
        maintainer.allow_job_pushes()
        click.secho(f"A maintainer of its project has switched on {SWITCH}, which is off at first.", bold=True)
    else:
        state = "on" if maintainer.job_pushes_allowed() else "off"
        click.secho(f"The switch of its project stays as it is: {SWITCH} is {state}.", bold=True)
    read_back = ReadBack(maintainer)
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
        # Git and the server name a folder by what it is behind all links.
        clone = job.clone(Path(folder).resolve())
        journey = JobJourney(job, clone)
        refusal = ""
        try:
            accompany(job.server(clone), journey.play)
        except StepFailed as failure:
            refusal = failure.sentence("Allow Git push requests") if not push_allowed else ""
            if not refusal or journey.plan is None:
                raise
        clone.look()
        plan = journey.plan
        if plan is None:
            raise StepFailed("nothing was planned")
        if refusal:
            return [refusal, *_wrong(read_back.check_unchanged(plan) + clone.check())]
        wrong = [] if push_allowed else ["the push was taken: the project lets its jobs push"]
        return _wrong(wrong + read_back.check(plan, clone.ids(plan), {}, job.user) + clone.check())


def _wrong(lines: list[str]) -> list[str]:
    return [f"WRONG: {line}" for line in lines]
