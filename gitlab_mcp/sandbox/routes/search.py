"""Basic code search in a project, without advanced search: git grep over the files of a ref."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.git.search import Piece, search
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route


@route("GET", "/projects/:id/search", "scope*:enum(blobs) search* ref", user_needed=True)
def search_blobs(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    ref = call.get("ref") or repo.default_branch
    sha = repo.resolve(ref)
    pieces = search(repo, sha, call.params["search"]) if sha else []

    def present(piece: Piece) -> dict[str, Any]:
        return {
            "basename": piece.path.rsplit(".", 1)[0],
            "data": piece.data,
            "path": piece.path,
            "filename": piece.path,
            "id": None,
            "ref": ref,
            "startline": piece.first,
            "project_id": call.project.id,
        }

    return paginate(call, pieces, present)
