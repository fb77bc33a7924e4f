"""The lines that the bare start writes to a job's log on GitLab, the credential and the files of the checkout."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from gitlab_mcp import __version__
from gitlab_mcp.api.author_roles import DEVELOPER
from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.identity import ROLES, WRITING_SCOPES
from gitlab_mcp.config.environment import variable, working_directory
from gitlab_mcp.config.job_context import PLAIN_BRANCH_NAME
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.doctor.background import begin
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound, Unreachable
from gitlab_mcp.render.user_text import mention, ref_name
from gitlab_mcp.repository.git_backend.errors import JOB_PUSH_SETTING
from gitlab_mcp.safety.policy import other_project
from gitlab_mcp.safety.sanitize import one_line

T = TypeVar("T")

PREFLIGHT_SECONDS = 3.0  # for all requests together
TIMED_OUT = Unreachable(f"GitLab did not answer within {PREFLIGHT_SECONDS:.0f} s")
COMPARED_BYTES = 2_000_000
BY_ROLE = ": reads and writes what its role in the project allows"


def preflight(settings: Settings, environ: Mapping[str, str], files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the lines for the job's log on GitLab and the credential, and a warning of `files`.

    `files` are those of the checkout that Claude Code obeys: their paths by their names.
    """
    gitlab, kind = GitLab(settings), settings.credential.kind
    current_call.set(Call(PREFLIGHT_SECONDS, lambda _message: None))
    deadline = time.monotonic() + PREFLIGHT_SECONDS
    user = begin(lambda: gitlab.get("/job").entity("user") if kind == "job token" else gitlab.get("/user"), deadline)
    scopes = begin(
        lambda: gitlab.get("/personal_access_tokens/self").texts("scopes") if _has_scopes(kind) else [], deadline
    )
    can_push = begin(lambda: gitlab.may_push(settings.own_project[0]) if gitlab.identity.pushes() else None, deadline)
    role = begin(lambda: gitlab.identity.role(f"/projects/{segment(settings.project)}"), deadline)
    changes = {name: begin(_comparison(gitlab, settings, environ, path), deadline) for name, path in files.items()}

    version = variable(environ, "CI_SERVER_VERSION")
    shown = f" (GitLab {version})" if version and PLAIN_BRANCH_NAME.fullmatch(version) else ""
    yield f"gitlab-mcp-server {__version__}: {settings.url}{shown}, project {ref_name(settings.project)}"
    name = settings.credential.variable
    owner = _value_or_failure(user)
    if isinstance(owner, Failure):
        yield f"credential: {name}; {_why_unknown(owner)}, so its permissions are not known"
    else:
        permissions = _permissions(settings, _value_or_failure(scopes), _value_or_failure(can_push))
        if permissions.endswith(BY_ROLE):
            permissions += _role(_value_or_failure(role))
        yield f"credential: {name} of {mention(owner.text('username'))}{permissions}"
    if other := other_project(settings):
        yield f"warning: {other}: remove GITLAB_PROJECT or --project, or allow it with --allow-project."
    if files:
        compared = {file: _value_or_failure(change) for file, change in changes.items()}
        listed = ", ".join(
            f"{file} ({'not compared' if isinstance(change, Failure) else change})" for file, change in compared.items()
        )
        where = "a checkout of another project" if settings.job.foreign else "this checkout"
        yield (
            f"warning: {where} has files that Claude Code obeys: {listed}; claude --setting-sources user ignores them."
        )


def _has_scopes(kind: str) -> bool:
    return kind == "access token"


def _value_or_failure(wait: Callable[[], T]) -> T | Failure:
    try:
        return wait()
    except TimeoutError:
        return TIMED_OUT
    except Failure as failure:
        return failure


def _reason(failure: object) -> str:
    """Why a value is missing, for the middle of a sentence; without a failure, GitLab did not answer in time."""
    text = one_line(str(failure if isinstance(failure, Failure) else TIMED_OUT), 200)
    # A question to the reader, after a colon, would end the sentence.
    return text.rpartition(": ")[0] or text.rstrip("?") if text.endswith("?") else text.rstrip(".")


def _why_unknown(failure: Failure) -> str:
    if isinstance(failure, GitLabRefusal) and failure.status == 401:
        return "GitLab does not know it: the job has ended, or the token is wrong, expired or another GitLab's"
    return _reason(failure)


def _permissions(settings: Settings, scopes: list[str] | Failure, can_push: bool | Failure | None) -> str:
    """What the credential lets the run do, as far as GitLab's responses show it."""
    known = [] if isinstance(scopes, Failure) else scopes
    listed = f", scopes {', '.join(ref_name(scope) for scope in known)}" if known else ""
    comments = "" if _has_scopes(settings.credential.kind) else "; comments need GITLAB_ACCESS_TOKEN (scope api)"
    if settings.read_only:
        return f"{listed}: reads only (--read-only)"
    if settings.push_token and settings.credential.kind != "flow token" and not WRITING_SCOPES & set(known):
        if shutil.which("git") is None:
            return f"{listed}: reads only; to commit and push it needs git, which is not installed{comments}"
        if can_push is True:
            return f"{listed}: reads; commits and opens merge requests by git push{comments}"
        if can_push is False:
            return f"{listed}: reads only; a maintainer can allow pushes in {JOB_PUSH_SETTING}{comments}"
        if not _has_scopes(settings.credential.kind) or known:
            return f"{listed}: reads; whether it may push is not known ({_reason(can_push)}){comments}"
    if _has_scopes(settings.credential.kind) and not known:
        return f"; its scopes are not known ({_reason(scopes)})"
    if known and not WRITING_SCOPES & set(known):
        return f"{listed}: reads what these scopes allow; scope api would let it write"
    return f"{listed}{BY_ROLE}"


def _role(role: str | Failure) -> str:
    """What the role of the token's user lacks; "" where it is enough, or not known."""
    level = next((level for level, name in ROLES.items() if name == role), 0)
    if level >= DEVELOPER or (not level and role != "none"):
        return ""
    shown = f"it has role {role}" if level else "its user has none"
    return f": {shown}, and branches, commits and merge requests need Developer"


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
            return f"not on {ref_name(target)}"
        return f"same as on {ref_name(target)}" if on_target == content else f"differs from {ref_name(target)}"

    return compare
