"""The git client of one repository on GitLab: retries after transient errors, and turns git's errors into Failures."""

import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from gitlab_mcp.api.client import segment
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.http import roots
from gitlab_mcp.api.project import BRANCH_NAME, Project
from gitlab_mcp.api.retry import wait_to_retry
from gitlab_mcp.errors import GitLabRefusal, NotFound, Unreachable
from gitlab_mcp.git import objects
from gitlab_mcp.git.process import GitError
from gitlab_mcp.git.remote import Remote, RemoteError, RemoteErrorKind
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.repository.git_backend.errors import failure_of

P = ParamSpec("P")
T = TypeVar("T")

INCOMPLETE = "did not send all necessary objects"  # git's message when the id of a file is fetched as a commit
FULL_REF = re.compile(r"(refs/)?(heads|tags|merge-requests)/")


def scratch_for(project: Project) -> ScratchRepository:
    """A scratch repository for a project, which reads the objects of the working directory if that is its checkout."""
    settings = project.gitlab.settings
    token = settings.push_token.token if settings.push_token else ""
    remote = Remote(f"{settings.url}/{quote(project.full_path)}.git", token)
    directory = settings.working_directory
    clone = directory.path if directory and project.is_called(directory.project) else None
    return ScratchRepository(remote, clone, roots(settings.ca_files))


class GitClient:
    """A project's repository, as it is reached from a scratch repository. Methods raise a Failure."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._default_branch = ""
        self.scratch = scratch_for(project)

    def ask(self, what: str, do: Callable[Concatenate[GitSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `do` with a session and these arguments; it contacts GitLab, and is retried after transient errors.

        `what` completes "git goes on to ..." in a progress message. Raises the Failure of an error that is not
        transient, or of the last attempt.
        """
        self._gitlab.policy.check("get", f"{self._project.path}/repository", None, lambda _project: "")
        call, attempt = current_call.get(), 0
        while True:
            attempt += 1
            try:
                with call.transfer(what) as time_left:
                    return do(GitSession(self.scratch, time_left), *args, **kwargs)
            except GitError as error:
                if isinstance(error, RemoteError) and error.kind is RemoteErrorKind.REDIRECTED:
                    self._gitlab.may_push(self._project.full_path)  # which git does not say: where it redirects to
                wait_to_retry(call, attempt, failure_of(error, self.scratch.remote.url, pushes=False))

    def local(self, do: Callable[Concatenate[GitSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `do`, which needs no network, with a session and these arguments, within what the tool call has left."""
        try:
            return do(GitSession(self.scratch, current_call.get().remaining), *args, **kwargs)
        except GitError as error:
            raise failure_of(error, self.scratch.remote.url, pushes=False) from error

    def refs(self, *names: str) -> dict[str, str]:
        """The ids that refs on GitLab point at now, by their full name (see GitSession.refs)."""
        return self.ask("ask GitLab for its branches", GitSession.refs, names)

    def tip(self, branch: str) -> str:
        """The id of the commit that a branch points at now, "" where the branch does not exist."""
        return self.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}", "")

    def resolve(self, ref: str) -> str:
        """The id of the commit that a ref names now; it and its trees are fetched. Raises NotFound."""
        identity = ref if objects.WHOLE_ID.fullmatch(ref) else self._id_of(ref)
        if not identity:
            raise _no_commit(ref)
        try:
            self.ask("fetch from GitLab", GitSession.fetch, [identity])
        except Unreachable as failure:
            if INCOMPLETE not in str(failure):
                raise
            # Not NotFound, which callers take for an empty tree: it may be a commit that was sent incompletely.
            raise GitLabRefusal(
                f"GitLab has no commit {ref}: that is the id of something else, or GitLab did not send all of it.",
                status=404,
            ) from failure
        # The id may be that of an annotated tag, or of an object that is not a commit.
        commits = self.local(objects.log, "--no-walk", identity)
        if not commits:
            raise _no_commit(ref)
        return commits[0].id

    def _id_of(self, ref: str) -> str:
        """The id that a branch, tag or other ref, or an abbreviated commit id, stands for; "" for an unknown name."""
        if ref == "HEAD":
            return self.refs("HEAD").get("HEAD", "")
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
        if FULL_REF.match(ref):
            full = f"refs/{ref.removeprefix('refs/')}"
            names += [f"{full}^{{}}", full]
        ids = self.refs(*names)
        identity = next((ids[name] for name in names if name in ids), "")
        if identity or not objects.SHORT_ID.fullmatch(ref):
            return identity
        # Git cannot fetch a commit by an abbreviated id.
        return self._gitlab.get(f"{self._project.path}/repository/commits/{segment(ref)}").sha("id")

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names, asked once in a run; "main" where GitLab does not report it."""
        if not self._default_branch:
            name = self.refs("HEAD").get("symref", "")
            if not BRANCH_NAME.fullmatch(name):
                return "main"
            self._default_branch = name
        return self._default_branch


def _no_commit(ref: str) -> NotFound:
    return NotFound(f"GitLab has no branch, tag or commit {ref}.", status=404, reason="404 Commit Not Found")
