"""Single files of a repository."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from gitlab_mcp.sandbox.entities.repository import commit as commit_entity
from gitlab_mcp.sandbox.git.commit_files import Action
from gitlab_mcp.sandbox.git.trees import EXECUTABLE, Entry, blame, find, last_commit, read_blob
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, bad_request, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.commit_writes import commit, decode
from gitlab_mcp.sandbox.text.paths import is_valid_file_path

_ONE = "/projects/:id/repository/files/:file_path"
_WRITE = "branch* commit_message* start_branch author_email author_name"
_BLAMED = (
    "id",
    "parent_ids",
    "message",
    "authored_date",
    "author_name",
    "author_email",
    "committed_date",
    "committer_name",
    "committer_email",
)
_CONTENT = "content*:any encoding:enum(text|base64)=text execute_filemode:bool"


def _path(call: Call) -> str:
    """The path of the file; raises Grape's 400 for one that is absolute or leads out of the repository."""
    if not is_valid_file_path(call.path["file_path"]):
        raise invalid_parameter("file_path should be a valid file path")
    return call.path["file_path"]


def _find(call: Call, ref: str | None) -> tuple[str, Entry]:
    path = _path(call)
    call.require_code()
    repo = call.project.repository
    sha = repo.resolve(repo.default_branch if ref in (None, "", "HEAD") else ref or "")
    if sha is None:
        raise not_found("Commit")
    entry = find(repo, sha, path)
    if entry is None or entry.type != "blob":
        raise not_found("File")
    return sha, entry


def _metadata(call: Call, sha: str, entry: Entry, content: bytes) -> dict[str, Any]:
    return {
        "file_name": entry.name,
        "file_path": entry.path,
        "size": len(content),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "ref": call.get("ref") or "HEAD",
        "blob_id": entry.sha,
        "commit_id": sha,
        "last_commit_id": last_commit(call.project.repository, sha, entry.path),
        "execute_filemode": entry.mode == EXECUTABLE,
    }


def _headers(metadata: dict[str, Any]) -> dict[str, str]:
    # GitLab sends header values as UTF-8; http.app encodes them.
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in metadata.items()}
    return {f"x-gitlab-{name.replace('_', '-')}": value for name, value in texts.items()}


@route("GET", _ONE, "ref*")
def get_file(call: Call) -> Response:
    sha, entry = _find(call, call.params["ref"])
    content = read_blob(call.project.repository, entry.sha)
    metadata = _metadata(call, sha, entry, content)
    return Response({**metadata, "content": base64.b64encode(content).decode()}, headers=_headers(metadata))


@route("GET", f"{_ONE}/raw", "ref lfs:bool", job_token=True)
def get_raw_file(call: Call) -> Response:
    sha, entry = _find(call, call.get("ref"))
    content = read_blob(call.project.repository, entry.sha)
    headers = _headers(_metadata(call, sha, entry, content))
    kind = "application/octet-stream" if b"\x00" in content[:8000] else "text/plain; charset=utf-8"
    return Response(content, headers=headers, media_type=kind)


@route("GET", f"{_ONE}/blame", "ref* range:obj")
def get_blame(call: Call) -> Any:
    sha, entry = _find(call, call.params["ref"])
    first, last = 1, 0
    if lines := call.get("range"):
        for name in ("start", "end"):
            if not str(lines.get(name, "")).isdecimal():
                raise invalid_parameter(f"range[{name}] is {'invalid' if lines.get(name) else 'missing'}")
            if int(lines[name]) == 0:
                raise invalid_parameter(f"range[{name}] does not have a valid value")
        first, last = int(lines["start"]), int(lines["end"])
        if first > last:
            raise bad_request("range[start] must be less than or equal to range[end]")
    blamed = blame(call.project.repository, sha, entry.path, first, last)
    if blamed is None:
        # CommitService#raw_blame raises an ArgumentError for lines beyond the end, and lib/api/files.rb rescues none.
        raise ApiError(500, {"message": "500 Internal Server Error"})
    groups = []
    for commit_of_lines, lines_of_one in blamed:
        entity = commit_entity(call.world, call.project, commit_of_lines)
        groups.append({"commit": {name: entity[name] for name in _BLAMED}, "lines": lines_of_one})
    return groups


def _file_info(call: Call) -> dict[str, str]:
    return {"file_path": call.path["file_path"], "branch": call.params["branch"]}


def _write(call: Call, kind: str) -> None:
    content = decode(call.get("content"), call.get("encoding") or "text")
    path, seen = _path(call), call.get("last_commit_id") or ""
    actions = [Action(kind, path, content=content, last_commit_id=seen, execute_filemode=call.get("execute_filemode"))]
    if kind == "update" and call.get("execute_filemode") is not None:
        actions.append(Action("chmod", path, execute_filemode=call.params["execute_filemode"]))
    commit(call, actions)


@route("POST", _ONE, f"{_WRITE} {_CONTENT}")
def create_file(call: Call) -> Any:
    _write(call, "create")
    return _file_info(call)


@route("PUT", _ONE, f"{_WRITE} {_CONTENT} last_commit_id")
def update_file(call: Call) -> Any:
    _write(call, "update")
    return _file_info(call)


@route("DELETE", _ONE, f"{_WRITE} last_commit_id")
def delete_file(call: Call) -> Any:
    _write(call, "delete")
    return None
