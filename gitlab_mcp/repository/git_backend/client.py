"""Speaking by git with one repository on GitLab: again after passing failures, the others said in words."""

import re
from collections.abc import Callable
from typing import TypeVar

from gitlab_mcp.api.client import segment
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.project import BRANCH_NAME, Project
from gitlab_mcp.api.retry import wait_to_retry
from gitlab_mcp.errors import GitLabRefusal, NotFound, Unreachable
from gitlab_mcp.git import objects
from gitlab_mcp.git.process import GitError, TimeLeft
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.repository.git_backend.errors import failure_of

T = TypeVar("T")

LOCAL_SECONDS = 120.0
INCOMPLETE = "did not send all necessary objects"  # what git says when a commit was asked for by a file's id
WHOLE_NAME = re.compile(r"(refs/)?(heads|tags|merge-requests)/")


class GitClient:
    """A project's repository by way of `own`, the repository of ours that git works in. Methods raise a Failure."""

    def __init__(self, project: Project, own: ScratchRepository) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self.own = own

    def ask(self, what: str, do: Callable[[TimeLeft], T]) -> T:
        """Do something that speaks with GitLab, again after a passing failure; `what` says it to the client."""
        self._gitlab.policy.check("get", f"{self._project.path}/repository", None, lambda _project: "")
        call, attempt = current_call.get(), 0
        while True:
            attempt += 1
            try:
                with call.transfer(what) as time_left:
                    return do(time_left)
            except GitError as error:
                wait_to_retry(call, attempt, failure_of(error, self.own.remote.url, pushes=False))

    def local(self, do: Callable[[TimeLeft], T]) -> T:
        """Do something with what is here."""
        call = current_call.get()
        try:
            return do(lambda: min(call.remaining(), LOCAL_SECONDS))
        except GitError as error:
            raise failure_of(error, self.own.remote.url, pushes=False) from error

    def refs(self, *names: str) -> dict[str, str]:
        """What GitLab's refs of these whole names point at now."""
        return self.ask("ask GitLab for its branches", lambda time_left: self.own.refs(names, time_left))

    def tip(self, branch: str) -> str:
        """The commit that a branch points at now, "" where there is none."""
        return self.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}", "")

    def resolve(self, ref: str) -> str:
        """The commit that a ref names now, with its trees here. Raises NotFound."""
        named = ref if objects.WHOLE_ID.fullmatch(ref) else self._named(ref)
        if not named:
            raise _no_commit(ref)
        try:
            self.ask("fetch from GitLab", lambda time_left: self.own.fetch([named], time_left))
        except Unreachable as failure:
            if INCOMPLETE not in str(failure):
                raise
            # Not NotFound, which would stand for an empty tree: it may be a commit after all.
            raise GitLabRefusal(
                f"GitLab has no commit {ref}: that is the id of something else, or GitLab did not send all of it.",
                status=404,
            ) from failure
        # An id may be a tag's, or that of no commit at all.
        found = self.local(lambda time_left: objects.log(self.own, ["--no-walk", named], time_left))
        if not found:
            raise _no_commit(ref)
        return found[0].id

    def _named(self, ref: str) -> str:
        """What GitLab's ref of this name points at, "" where there is none."""
        if ref == "HEAD":
            return self.refs("HEAD").get("HEAD", "")
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
        if WHOLE_NAME.match(ref):
            whole = f"refs/{ref.removeprefix('refs/')}"
            names += [f"{whole}^{{}}", whole]
        found = self.refs(*names)
        named = next((found[name] for name in names if name in found), "")
        if named or not objects.SHORT_ID.fullmatch(ref):
            return named
        # Git does not ask for a commit by the beginning of its id.
        return self._gitlab.get(f"{self._project.path}/repository/commits/{segment(ref)}").sha("id")

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names; "main" where GitLab does not say."""
        name = self.refs("HEAD").get("symref", "")
        return name if BRANCH_NAME.fullmatch(name) else "main"


def _no_commit(ref: str) -> NotFound:
    return NotFound(f"GitLab has no branch, tag or commit {ref}.", status=404, reason="404 Commit Not Found")
