"""Directories, blobs and contributors of a repository."""

from __future__ import annotations

import base64
import hashlib
import posixpath
from typing import Any

from gitlab_mcp.sandbox.entities.repository import commit, tree_object
from gitlab_mcp.sandbox.git.trees import Entry, is_blob, last_commit, list_tree, read_blob
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import not_found
from gitlab_mcp.sandbox.http.pagination import page_of, paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.text.paths import tree_path_error


@route(
    "GET",
    "/projects/:id/repository/tree",
    "ref path recursive:bool=false with_last_commit:bool pagination:enum(legacy|keyset|none)=legacy page_token",
)
def get_tree(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    sha = repo.resolve(call.get("ref") or repo.default_branch)
    if sha is None:
        raise not_found("Tree")
    path = call.get("path") or ""
    if error := tree_path_error(path):
        raise not_found(error)
    entries = list_tree(repo, sha, posixpath.normpath(path) if path else "", recursive=call.params["recursive"])
    if entries is None:
        raise not_found("invalid revision or path")

    def present(entry: Entry) -> dict[str, Any]:
        entity: dict[str, Any] = tree_object(entry)
        if call.get("with_last_commit"):
            entity["last_commit"] = commit(call.world, call.project, repo.commit(last_commit(repo, sha, entry.path)))
        return entity

    if call.params["pagination"] == "none":
        return Response([present(entry) for entry in entries])
    if call.params["pagination"] == "keyset":
        return _keyset(call, entries)
    return paginate(call, entries, present)


def _keyset(call: Call, entries: list[Entry]) -> Response:
    """A page by keyset pagination (GitLab docs): it begins after the entry that page_token names."""
    _, per_page = page_of(call)
    names = [_token(entry) for entry in entries]
    start = names.index(call.get("page_token")) + 1 if call.get("page_token") in names else 0
    rows = entries[start : start + per_page]
    headers = {"x-per-page": str(per_page)}
    if start + per_page < len(entries):
        address = call.page_url(1, per_page).replace("page=1&", "", 1)
        base = "&".join(part for part in address.split("&") if not part.startswith("page_token="))
        headers["link"] = f'<{base}&page_token={_token(rows[-1])}>; rel="next"'
        headers["x-next-cursor"] = _token(rows[-1])
    return Response([tree_object(entry) for entry in rows], headers=headers)


def _token(entry: Entry) -> str:
    # The same blob may be in the tree twice, so its sha alone does not tell where a page ended.
    return hashlib.sha1(f"{entry.path} {entry.sha}".encode(), usedforsecurity=False).hexdigest()


@route("GET", "/projects/:id/repository/blobs/:sha")
def get_blob(call: Call) -> Any:
    content = _blob(call)
    encoded = base64.b64encode(content).decode()
    return {"size": len(content), "encoding": "base64", "content": encoded, "sha": call.path["sha"]}


@route("GET", "/projects/:id/repository/blobs/:sha/raw")
def get_raw_blob(call: Call) -> Response:
    return Response(_blob(call), media_type="text/plain; charset=utf-8")


def _blob(call: Call) -> bytes:
    call.require_code()
    if not is_blob(call.project.repository, call.path["sha"]):
        raise not_found("Blob")
    return read_blob(call.project.repository, call.path["sha"])


@route("GET", "/projects/:id/repository/contributors", "ref order_by:enum(name|email|commits)=commits sort")
def list_contributors(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    sha = repo.resolve(call.get("ref") or repo.default_branch)
    counted: dict[tuple[str, str], int] = {}
    for one in repo.log([sha]) if sha else []:
        counted[one.author_name, one.author_email] = counted.get((one.author_name, one.author_email), 0) + 1
    people = [
        {"name": name, "email": email, "commits": count, "additions": 0, "deletions": 0}
        for (name, email), count in counted.items()
    ]
    return paginate(call, people, lambda one: one)
