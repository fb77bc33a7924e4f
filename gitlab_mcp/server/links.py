"""Links given where a tool expects an id, a ref or a slug: each becomes the arguments that it stands for."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.tools.references import Reference, hint, is_url, parsed

LINK_CHARACTERS = 200
REFS = ("folder", "history", "commit", "tag")
# The kinds of pages whose links a parameter takes. `iid`, `path` and comments are taken apart by the tools themselves.
TAKES: dict[str, Collection[str]] = {
    "job_id": ("job",),
    "pipeline_id": ("pipeline",),
    "slug": ("wiki page",),
    "sha": ("commit",),
    **dict.fromkeys(("ref", "branch", "source_branch", "target_branch", "head"), REFS),
    "base": (*REFS, "comparison"),
}


def from_links(arguments: Mapping[str, Any], parameters: Collection[str]) -> dict[str, Any]:
    """The arguments of a tool that has these parameters, with links replaced by what they name and by its project.

    Raises ValueError for a link of another kind of page, which names the tool that takes it, and for links of
    different projects.
    """
    result = dict(arguments)
    for name, value in arguments.items():
        if name not in TAKES or not isinstance(value, str) or not is_url(value):
            continue
        found = parsed(value) or Reference("", "", "")
        if found.kind not in TAKES[name]:
            raise ValueError(f"{name} is {one_line(value, LINK_CHARACTERS)}. {hint(found)}.")
        result[name] = re.split(r"[/.]", found.value)[0] if found.kind == "commit" else found.value
        if found.kind == "comparison":
            dots = "..." if "..." in found.value else ".."
            result["base"], _, head = found.value.partition(dots)
            result.setdefault("head", head)
        if "project" in parameters and not _is_of(result.setdefault("project", found.project), found.project):
            raise ValueError(
                f"{name} is {one_line(value, LINK_CHARACTERS)}, of another project than project says: leave it out."
            )
    return result


def _is_of(project: object, link: str) -> bool:
    """Whether the argument `project`, a path or a link, may be the project of a link; an id is not compared."""
    name = str(project).strip("/").casefold()
    return name.isdecimal() or f"/{link.casefold()}".endswith(f"/{name}") or name == link.casefold()
