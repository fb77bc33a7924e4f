"""Branches: their newest commit, whether they may be deleted, and name conflicts of a new branch."""

from collections.abc import Callable
from typing import TypeVar

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import Conflict, Failure, GitLabRefusal, NotFound, Refused
from gitlab_mcp.repository.git_backend.errors import branch_name_conflict
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.repository.paths import folders_above

T = TypeVar("T")


def newest_commit(repository: Repository, branch: str) -> str:
    """The id of the commit that a branch points at; "" where the branch does not exist or cannot be read."""
    try:
        return repository.branch(branch).sha("commit", "id")
    except Failure:
        return ""


def explain_name_conflict(repository: Repository, branch: str, create: Callable[[], T]) -> T:
    """The result of `create`, which creates a branch.

    Raises Conflict when the name of an existing branch prevents it ("a" and "a/b"), else the failure of `create`.
    """
    try:
        return create()
    except GitLabRefusal as refused:
        exists = isinstance(refused, Conflict) and refused.already_exists
        if refused.status == 400 and not exists:
            existing = _conflicting_branch(repository, branch)
            if existing:
                raise branch_name_conflict(branch, existing) from refused
        raise


def _conflicting_branch(repository: Repository, branch: str) -> str:
    """A branch whose name is a folder of `branch`'s name, or the other way round; "" where none is found."""
    try:
        for above in folders_above(branch)[1:]:
            try:
                return repository.branch(above).text("name")
            except NotFound:
                continue
        below = repository.branches(f"^{branch}/", 1, 1).rows
    except Failure:
        return ""
    return below[0].text("name") if below else ""


def deletable(branch: Entity | None, name: str) -> Entity:
    """The same branch. Raises NotFound when it is None, Refused for the default branch and for a protected one."""
    if branch is None:
        raise NotFound(f"There is no branch {name} to delete.", status=404)
    if branch.flag("default"):
        raise Refused(f"{name} is the default branch, which is never deleted.")
    if branch.flag("protected"):
        raise Refused(f"{name} is protected (Settings > Repository > Protected branches) and is not deleted here.")
    return branch
