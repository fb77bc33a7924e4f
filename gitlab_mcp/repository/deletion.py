"""Which branches may be deleted."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import NotFound, Refused


def deletable(branch: Entity | None, name: str) -> Entity:
    """The same branch. Raises NotFound where there is none, Refused for the default and for a protected one."""
    if branch is None:
        raise NotFound(f"There is no branch {name}: there is nothing to delete.", status=404)
    if branch.flag("default"):
        raise Refused(f"{name} is the default branch, which is never deleted.")
    if branch.flag("protected"):
        raise Refused(f"{name} is protected (Settings > Repository > Protected branches) and is not deleted here.")
    return branch
