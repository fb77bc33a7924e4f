"""What a job's log is told when the server is started bare: where it is, what it can do, what it is about."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from gitlab_mcp import __version__
from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.credential import WRITING_SCOPES
from gitlab_mcp.call import Call, current_call
from gitlab_mcp.errors import Failure, NotFound
from gitlab_mcp.job import JobContext
from gitlab_mcp.render.people import mention
from gitlab_mcp.render.sanitise import one_line
from gitlab_mcp.settings import Settings
from gitlab_mcp.variables import variable

T = TypeVar("T")

SECONDS = 3.0  # for all that GitLab is asked, together
BUTTON = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"


class Asked:
    """Questions that are asked at the same time, none of which anybody waits for beyond the time."""

    def __init__(self) -> None:
        self._call = Call(SECONDS, lambda _message: None)
        current_call.set(self._call)

    def ask(self, question: Callable[[], T]) -> Callable[[], T | None]:
        """Begin to ask. The answer, or None where there is none in time or GitLab refuses, is got by calling."""
        found: list[T] = []
        context = copy_context()

        def run() -> None:
            try:
                found.append(context.run(question))
            except Failure:
                return

        thread = threading.Thread(target=run, name="preflight", daemon=True)
        thread.start()

        def answer() -> T | None:
            thread.join(max(0.0, self._call.left()))
            return found[0] if found else None

        return answer


def preflight(settings: Settings, environ: Mapping[str, str], files: list[str]) -> Iterator[str]:
    """The lines for the job's log. `files` are those of the checkout that Claude Code obeys."""
    gitlab, asked = GitLab(settings), Asked()
    who = asked.ask(lambda: gitlab.identity.user.text("username"))
    scopes = asked.ask(lambda: gitlab.identity.scopes)
    pushes = asked.ask(lambda: gitlab.may_push(settings.own_project[0]) if gitlab.identity.pushes() else None)
    reached = asked.ask(gitlab.reach)
    changed = {name: asked.ask(_comparison(gitlab, settings, environ, name)) for name in files}

    version = one_line(variable(environ, "CI_SERVER_VERSION"), 40)
    yield (
        f"gitlab-mcp-server {__version__}: {settings.url}{f' (GitLab {version})' if version else ''},"
        f" project {one_line(settings.project, 255)}"
    )
    yield f"credential: {_credential(settings, who(), scopes(), pushes(), is_reached=bool(reached()))}"
    yield f"about: {_about(settings.job)}"
    yield from _warnings(settings.job, environ, {name: answer() for name, answer in changed.items()})


def _credential(
    settings: Settings, username: str | None, scopes: list[str] | None, pushes: bool | None, *, is_reached: bool
) -> str:
    credential = settings.credential
    named = f"{credential.variable}{f' of {mention(username)}' if username else ''}"
    if not is_reached:
        return f"{named}; GitLab did not answer within {SECONDS:.0f} s, so what it can do is not known"
    if not username:
        return f"{named}; GitLab does not know it: the job has ended, or the token is wrong or expired"
    if scopes:
        named += f", scopes {', '.join(one_line(scope, 40) for scope in scopes)}"
    if pushes is None:
        writes = not scopes or WRITING_SCOPES & set(scopes)
        return f"{named}: {'reads and writes' if writes else 'reads only; scope api would let it write'}"
    lacks = "" if settings.credential.kind == "access token" else "; comments need GITLAB_ACCESS_TOKEN (scope api)"
    if pushes:
        return f"{named}: reads; commits and opens merge requests by git push{lacks}"
    return f"{named}: reads only; a maintainer lets jobs push in {BUTTON}{lacks}"


def _about(job: JobContext) -> str:
    asked = f", asked by {mention(job.asked_by)}" if job.asked_by else ""
    if job.noun:
        return f"{job.noun} {job.sign}{f' ({job.event})' if job.event else ''}{asked}"
    return f"what AI_FLOW_INPUT says{asked}" if job.input else f"nothing that a variable names{asked}"


def _warnings(job: JobContext, environ: Mapping[str, str], changed: Mapping[str, str | None]) -> Iterator[str]:
    if environ.get("AI_FLOW_INPUT", "").startswith("-"):
        yield "warning: AI_FLOW_INPUT begins with -, which claude takes for an option: give it on standard input."
    if changed:
        told = ", ".join(f"{name} ({state or 'not compared'})" for name, state in changed.items())
        yield (
            f"warning: this checkout{' of another project' if job.foreign else ''} has files that Claude Code obeys:"
            f" {told}; claude --setting-sources user leaves them out."
        )


def _comparison(gitlab: GitLab, settings: Settings, environ: Mapping[str, str], name: str) -> Callable[[], str]:
    """How a file of the checkout is to the one of the branch that it is to be merged into."""
    target = variable(environ, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or variable(environ, "CI_DEFAULT_BRANCH")
    directory, shown = settings.working_directory, one_line(target, 100)

    def compare() -> str:
        here = directory.path / name if directory else Path(name)
        if here.is_symlink() or not here.is_file():
            return "a folder or link"
        try:
            there = gitlab.raw(
                f"/projects/{segment(settings.project)}/repository/files/{segment(name)}/raw", ref=target
            )
        except NotFound:
            return f"not on {shown}"
        return f"as on {shown}" if there == here.read_bytes() else f"differs from {shown}"

    return compare
