"""Branches: the commit that one points at, which may be deleted, and what keeps a new one from being created."""

from collections.abc import Callable
from typing import TypeVar

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound, Refused
from gitlab_mcp.repository.git_backend.errors import not_beside
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.repository.paths import folders_above

T = TypeVar("T")


def newest_commit(repository: Repository, branch: str) -> str:
    """The commit that a branch points at; "" where there is none of this name, and where it cannot be learnt."""
    try:
        return repository.branch(branch).sha("commit", "id")
    except Failure:
        return ""


def creating(repository: Repository, branch: str, create: Callable[[], T]) -> T:
    """What `create` makes, which begins a branch.

    Raises Conflict where another branch stands in its way, else the failure of `create`.
    """
    try:
        return create()
    except GitLabRefusal as refused:
        if refused.status == 400 and "already exists" not in refused.reason:
            there = _in_the_way(repository, branch)
            if there:
                raise not_beside(branch, there) from refused
        raise


def _in_the_way(repository: Repository, branch: str) -> str:
    """A branch whose name is a folder of this one's, or the other way round; "" as far as none is found."""
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
    """The same branch. Raises NotFound where there is none, Refused for the default and for a protected one."""
    if branch is None:
        raise NotFound(f"There is no branch {name}: there is nothing to delete.", status=404)
    if branch.flag("default"):
        raise Refused(f"{name} is the default branch, which is never deleted.")
    if branch.flag("protected"):
        raise Refused(f"{name} is protected (Settings > Repository > Protected branches) and is not deleted here.")
    return branch
