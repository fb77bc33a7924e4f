"""Comparing commits."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.git import diffs
from gitlab_mcp.sandbox.git.diff_limits import limited
from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import bad_request, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.routing import route


@route("GET", "/projects/:id/repository/compare", "from* to* from_project_id:int straight:bool=false unidiff:bool")
def compare(call: Call) -> Any:
    call.require_code()
    repo = call.project.repository
    old, new = call.params["from"], call.params["to"]
    start, end = repo.resolve(old), repo.resolve(new)
    if start is None or end is None:
        raise not_found("Ref")
    base = start if call.params["straight"] else repo.merge_base(start, end)
    commits = repo.log(["--reverse", f"{start}..{end}"])
    shown, overflow = limited(diffs.compare(repo, base, end) if base else [], expanded=False)
    rendered = [repository.commit(call.world, call.project, one) for one in commits]
    dots = ".." if call.params["straight"] else "..."
    return {
        "commit": rendered[-1] if rendered else None,
        "commits": rendered,
        "diffs": [repository.diff(one, unidiff=bool(call.get("unidiff"))) for one in shown],
        "compare_timeout": overflow,
        "compare_same_ref": start == end,
        "web_url": f"{web_url(call.world, call.project)}/-/compare/{quote(old)}{dots}{quote(new)}",
    }


@route("GET", "/projects/:id/repository/merge_base", "refs:any")
def merge_base(call: Call) -> Any:
    call.require_code()
    repo = call.project.repository
    refs = call.get("refs")
    if not isinstance(refs, list) or not refs:
        raise invalid_parameter("refs is missing")
    if len(refs) < 2:
        raise bad_request("Provide at least 2 refs")
    shas = {str(ref): repo.resolve(str(ref)) for ref in refs}
    unknown = [ref for ref, sha in shas.items() if sha is None]
    if unknown:
        raise bad_request(f"Could not find ref{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}")
    base = repo.merge_base(*[sha for sha in shas.values() if sha])
    if base is None:
        raise not_found("Merge Base")
    return repository.commit(call.world, call.project, repo.commit(base))
