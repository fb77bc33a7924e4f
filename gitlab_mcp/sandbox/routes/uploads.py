"""Files uploaded for use in Markdown (lib/api/markdown_uploads.rb)."""

from __future__ import annotations

import mimetypes
import re
import secrets
from pathlib import PurePosixPath
from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Upload
from gitlab_mcp.sandbox.state.users import MAINTAINER

_ALL = "/projects/:id/uploads"
_MAX_SIZE = 100_000_000  # GitLab docs: the default maximum attachment size is 100 MB
# Gitlab::FileTypeDetection: these are embedded in Markdown with an exclamation mark.
_EMBEDDED = re.compile(r".*\.(?:png|jpe?g|gif|bmp|tiff|ico|webp|mp4|m4v|mov|webm|ogv|mp3|og[ag]|spx|wav)", re.I | re.S)


@route("POST", _ALL, "file*:file")
def create_upload(call: Call) -> Any:
    file = call.params["file"]
    if len(file.content) > _MAX_SIZE:
        raise ApiError(413, {"message": "413 Request Entity Too Large"})
    # CarrierWave keeps the last part of the path, and replaces what is not a letter, a digit or one of .-+_
    name = re.sub(r"[^\w.\-+]", "_", file.name.replace("\\", "/").rpartition("/")[2]) or "_"
    upload = Upload(call.world.next_id("upload"), secrets.token_hex(16), name, file.content, call.me, call.world.now())
    call.project.uploads.append(upload)
    url = f"/uploads/{upload.secret}/{name}"
    embedded = _EMBEDDED.fullmatch(name) is not None
    alt = (PurePosixPath(name).stem if embedded else name).replace("]", "\\]")
    return {
        "id": upload.id,
        "alt": alt,
        "url": url,
        "full_path": f"/-/project/{call.project.id}{url}",
        "markdown": f"{'!' if embedded else ''}[{alt}]({url})",
    }


@route("GET", _ALL, user_needed=True)
def list_uploads(call: Call) -> Response:
    call.require(MAINTAINER)
    return paginate(call, call.project.uploads[::-1], lambda upload: _upload(call, upload))


def _upload(call: Call, upload: Upload) -> dict[str, Any]:
    """MarkdownUploadAdmin."""
    user = user_basic(call.world, upload.user)
    return {
        "id": upload.id,
        "size": len(upload.content),
        "filename": upload.name,
        "created_at": stamp(upload.created_at),
        "uploaded_by": {name: user[name] for name in ("id", "username", "public_email", "name")},
    }


def _of_path(call: Call) -> Upload:
    """The upload that the path names by its id, or by its secret and its name; raises 404."""
    if "upload_id" in call.path:
        return call.item("upload_id", call.project.uploads)
    wanted = (call.path["secret"], call.path["filename"])
    found = next((one for one in call.project.uploads if (one.secret, one.name) == wanted), None)
    if found is None:
        raise not_found()
    return found


@route("GET", f"{_ALL}/:upload_id")
def get_upload(call: Call) -> Response:
    call.require(MAINTAINER)
    return _file(_of_path(call))


@route("GET", f"{_ALL}/:secret/:filename")
def get_upload_by_secret(call: Call) -> Response:
    return _file(_of_path(call))


def _file(upload: Upload) -> Response:
    kind = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    disposition = f'attachment; filename="{upload.name}"'
    return Response(upload.content, headers={"content-disposition": disposition}, media_type=kind)


@route("DELETE", f"{_ALL}/:upload_id")
@route("DELETE", f"{_ALL}/:secret/:filename")
def delete_upload(call: Call) -> Any:
    call.require(MAINTAINER)
    call.project.uploads.remove(_of_path(call))
    return None
