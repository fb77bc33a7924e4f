"""The lines that the bare start writes to a job's log on GitLab, the credential and the files of the checkout."""

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

PREFLIGHT_SECONDS = 3.0  # for all requests together
TIMED_OUT = f"GitLab did not answer within {PREFLIGHT_SECONDS:.0f} s"
JOB_PUSH_SETTING = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
COMPARED_BYTES = 2_000_000


@dataclass
class RequestResult(Generic[T]):
    """How a request ended: with a value or with a failure; with neither when time ran out."""

    value: T | None = None
    failure: Failure | None = None

    @property
    def reason(self) -> str:
        """Why there is no value."""
        return one_line(str(self.failure), 200) if self.failure else TIMED_OUT


class ParallelRequests:
    """Requests that run at the same time, each in a thread, and share one deadline of PREFLIGHT_SECONDS."""

    def __init__(self) -> None:
        self._call = Call(PREFLIGHT_SECONDS, lambda _message: None)
        current_call.set(self._call)

    def start(self, request: Callable[[], T]) -> Callable[[], RequestResult[T]]:
        """Start a request; returns a function that waits for its result, until the deadline at most."""
        result: RequestResult[T] = RequestResult()
        context = copy_context()

        def run() -> None:
            try:
                result.value = context.run(request)
            except Failure as failure:
                result.failure = failure

        thread = threading.Thread(target=run, name="preflight", daemon=True)
        thread.start()

        def wait() -> RequestResult[T]:
            thread.join(max(0.0, self._call.left()))
            return RequestResult() if thread.is_alive() else result

        return wait


def preflight(settings: Settings, environ: Mapping[str, str], files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the lines for the job's log on GitLab and the credential, and a warning of `files`.

    `files` are those of the checkout that Claude Code obeys: their paths by their names.
    """
    gitlab, requests = GitLab(settings), ParallelRequests()
    kind = settings.credential.kind
    user = requests.start(lambda: gitlab.get("/job").entity("user") if kind == "job token" else gitlab.get("/user"))
    scopes = requests.start(
        lambda: gitlab.get("/personal_access_tokens/self").texts("scopes") if _has_scopes(kind) else []
    )
    can_push = requests.start(lambda: gitlab.may_push(settings.own_project[0]) if gitlab.identity.pushes() else None)
    changes = {name: requests.start(_comparison(gitlab, settings, environ, path)) for name, path in files.items()}

    version = variable(environ, "CI_SERVER_VERSION")
    shown = f" (GitLab {version})" if version and PLAIN_BRANCH_NAME.fullmatch(version) else ""
    yield f"gitlab-mcp-server {__version__}: {settings.url}{shown}, project {_plain(settings.project)}"
    name = settings.credential.variable
    owner = user()
    if owner.value is None:
        yield f"credential: {name}; {_why_unknown(owner)}, so its permissions are not known"
    else:
        permissions = _permissions(settings, scopes(), can_push())
        yield f"credential: {name} of {mention(owner.value.text('username'))}{permissions}"
    if files:
        listed = ", ".join(f"{file} ({change().value or 'not compared'})" for file, change in changes.items())
        where = "a checkout of another project" if settings.job.foreign else "this checkout"
        yield (
            f"warning: {where} has files that Claude Code obeys: {listed}; claude --setting-sources user ignores them."
        )


def _has_scopes(kind: str) -> bool:
    return kind == "access token"


def _why_unknown(user: RequestResult[T]) -> str:
    if isinstance(user.failure, GitLabRefusal) and user.failure.status == 401:
        return "GitLab does not know it: the job has ended, or the token is wrong, expired or another GitLab's"
    return user.reason.rstrip(".")


def _permissions(settings: Settings, scopes: RequestResult[list[str]], can_push: RequestResult[bool | None]) -> str:
    """What the credential lets the run do, as far as GitLab's responses show it."""
    known = scopes.value or []
    listed = f", scopes {', '.join(_plain(scope) for scope in known)}" if known else ""
    comments = "" if _has_scopes(settings.credential.kind) else "; comments need GITLAB_ACCESS_TOKEN (scope api)"
    if settings.read_only:
        return f"{listed}: reads only (--read-only)"
    if settings.push_token and not WRITING_SCOPES & set(known):
        if can_push.value:
            return f"{listed}: reads; commits and opens merge requests by git push{comments}"
        if can_push.value is False:
            return f"{listed}: reads only; a maintainer can allow pushes in {JOB_PUSH_SETTING}{comments}"
        if not _has_scopes(settings.credential.kind) or known:
            return f"{listed}: reads; whether it may push is not known ({can_push.reason.rstrip('.')}){comments}"
    if _has_scopes(settings.credential.kind) and not known:
        return f"; its scopes are not known ({scopes.reason.rstrip('.')})"
    if known and not WRITING_SCOPES & set(known):
        return f"{listed}: reads what these scopes allow; scope api would let it write"
    return f"{listed}: reads and writes what its role in the project allows"


def _plain(text: str) -> str:
    """A name unchanged where it has only plain characters, else on one line and in quotes."""
    if PLAIN_BRANCH_NAME.fullmatch(text):
        return text
    return '"{}"'.format(one_line(text, 100).replace('"', "'"))


def _comparison(gitlab: GitLab, settings: Settings, environ: Mapping[str, str], path: Path) -> Callable[[], str]:
    """A function that compares a file of the checkout with the one on the target branch, else the default branch."""
    target = variable(environ, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or variable(environ, "CI_DEFAULT_BRANCH")
    root = settings.working_directory.path if settings.working_directory else working_directory()

    def compare() -> str:
        try:
            inside = path.resolve().is_relative_to(root.resolve()) and path.is_file()
            if not inside or path.stat().st_size > COMPARED_BYTES:
                return "not compared"
            content, name = path.read_bytes(), path.resolve().relative_to(root.resolve()).as_posix()
        except OSError:
            return "not readable"
        try:
            on_target = gitlab.raw(
                f"/projects/{segment(settings.project)}/repository/files/{segment(name)}/raw", ref=target
            )
        except NotFound:
            return f"not on {_plain(target)}"
        return f"same as on {_plain(target)}" if on_target == content else f"differs from {_plain(target)}"

    return compare
