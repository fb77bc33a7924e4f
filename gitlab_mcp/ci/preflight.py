"""What a job's log is told when the server is started bare: where it is, what it can do, what it is about."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from gitlab_mcp import __version__
from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.identity import WRITING_SCOPES
from gitlab_mcp.config.environment import variable, working_directory
from gitlab_mcp.config.job_context import PLAIN_BRANCH_NAME
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.sanitize import one_line

T = TypeVar("T")

PREFLIGHT_SECONDS = 3.0  # for all that GitLab is asked, together
SILENT = f"GitLab did not answer within {PREFLIGHT_SECONDS:.0f} s"
BUTTON = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
COMPARED_BYTES = 2_000_000


@dataclass
class Answer(Generic[T]):
    """What became of a question: its answer, or the failure; neither when there was no time."""

    value: T | None = None
    failure: Failure | None = None

    @property
    def said(self) -> str:
        """Why there is no answer."""
        return one_line(str(self.failure), 200) if self.failure else SILENT


class Asked:
    """Questions that are asked at the same time, none of which anybody waits for beyond the time."""

    def __init__(self) -> None:
        self._call = Call(PREFLIGHT_SECONDS, lambda _message: None)
        current_call.set(self._call)

    def ask(self, question: Callable[[], T]) -> Callable[[], Answer[T]]:
        """Begin to ask; the answer is got by calling."""
        found: Answer[T] = Answer()
        context = copy_context()

        def run() -> None:
            try:
                found.value = context.run(question)
            except Failure as failure:
                found.failure = failure

        thread = threading.Thread(target=run, name="preflight", daemon=True)
        thread.start()

        def answer() -> Answer[T]:
            thread.join(max(0.0, self._call.left()))
            return Answer() if thread.is_alive() else found

        return answer


def preflight(settings: Settings, environ: Mapping[str, str], files: Mapping[str, Path]) -> Iterator[str]:
    """The lines for the job's log on GitLab and the credential, then one on `files` that Claude Code obeys, by name."""
    gitlab, asked = GitLab(settings), Asked()
    kind = settings.credential.kind
    who = asked.ask(lambda: gitlab.get("/job").entity("user") if kind == "job token" else gitlab.get("/user"))
    scopes = asked.ask(lambda: gitlab.get("/personal_access_tokens/self").texts("scopes") if _has_scopes(kind) else [])
    pushes = asked.ask(lambda: gitlab.may_push(settings.own_project[0]) if gitlab.identity.pushes() else None)
    changed = {name: asked.ask(_comparison(gitlab, settings, environ, path)) for name, path in files.items()}

    version = variable(environ, "CI_SERVER_VERSION")
    shown = f" (GitLab {version})" if version and PLAIN_BRANCH_NAME.fullmatch(version) else ""
    yield f"gitlab-mcp-server {__version__}: {settings.url}{shown}, project {_plain(settings.project)}"
    named = settings.credential.variable
    told = who()
    if told.value is None:
        yield f"credential: {named}; {_unknown(told)}, so what it can do is not known"
    else:
        yield f"credential: {named} of {mention(told.value.text('username'))}{_power(settings, scopes(), pushes())}"
    if files:
        listed = ", ".join(f"{name} ({answer().value or 'not compared'})" for name, answer in changed.items())
        where = "a checkout of another project" if settings.job.foreign else "this checkout"
        yield (
            f"warning: {where} has files that Claude Code obeys: {listed};"
            " claude --setting-sources user leaves them out."
        )


def _has_scopes(kind: str) -> bool:
    return kind == "access token"


def _unknown(told: Answer[T]) -> str:
    if isinstance(told.failure, GitLabRefusal) and told.failure.status == 401:
        return "GitLab does not know it: the job has ended, or the token is wrong, expired or another GitLab's"
    return told.said.rstrip(".")


def _power(settings: Settings, scopes: Answer[list[str]], pushes: Answer[bool | None]) -> str:
    """What the credential lets the run do, as far as GitLab told; nothing is said that it did not tell."""
    known = scopes.value or []
    listed = f", scopes {', '.join(_plain(scope) for scope in known)}" if known else ""
    comments = "" if _has_scopes(settings.credential.kind) else "; comments need GITLAB_ACCESS_TOKEN (scope api)"
    if settings.read_only:
        return f"{listed}: reads, and writes nothing (--read-only)"
    if settings.push_token and not WRITING_SCOPES & set(known):
        if pushes.value:
            return f"{listed}: reads; commits and opens merge requests by git push{comments}"
        if pushes.value is False:
            return f"{listed}: reads only; a maintainer lets jobs push in {BUTTON}{comments}"
        if not _has_scopes(settings.credential.kind) or known:
            return f"{listed}: reads; whether it may push is not known ({pushes.said.rstrip('.')}){comments}"
    if _has_scopes(settings.credential.kind) and not known:
        return f"; its scopes are not known ({scopes.said.rstrip('.')})"
    if known and not WRITING_SCOPES & set(known):
        return f"{listed}: reads as far as these go; scope api would let it write"
    return f"{listed}: reads and writes as far as its role in the project goes"


def _plain(text: str) -> str:
    """A name as it is where it is a plain one, else in quotes."""
    if PLAIN_BRANCH_NAME.fullmatch(text):
        return text
    return '"{}"'.format(one_line(text, 100).replace('"', "'"))


def _comparison(gitlab: GitLab, settings: Settings, environ: Mapping[str, str], path: Path) -> Callable[[], str]:
    """How a file of the checkout is to the one of the branch that it is to be merged into."""
    target = variable(environ, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or variable(environ, "CI_DEFAULT_BRANCH")
    root = settings.working_directory.path if settings.working_directory else working_directory()

    def compare() -> str:
        try:
            inside = path.resolve().is_relative_to(root.resolve()) and path.is_file()
            if not inside or path.stat().st_size > COMPARED_BYTES:
                return "not compared"
            here, name = path.read_bytes(), path.resolve().relative_to(root.resolve()).as_posix()
        except OSError:
            return "not readable"
        try:
            there = gitlab.raw(
                f"/projects/{segment(settings.project)}/repository/files/{segment(name)}/raw", ref=target
            )
        except NotFound:
            return f"not on {_plain(target)}"
        return f"as on {_plain(target)}" if there == here else f"differs from {_plain(target)}"

    return compare
