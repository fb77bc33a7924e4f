"""The files of a commit as one archive (lib/api/repositories.rb)."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable

from gitlab_mcp.sandbox.git.process import GitError
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import not_found, not_implemented
from gitlab_mcp.sandbox.http.routing import route

_TAR_GZ = ".tar.gz"
# The extensions that GitLab knows, by what git calls the format and what compresses it.
_FORMATS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    ".zip": ("zip", bytes),
    ".tar": ("tar", bytes),
    _TAR_GZ: ("tar", lambda tar: gzip.compress(tar, mtime=0)),
    **dict.fromkeys((".tar.bz2", ".tbz", ".tbz2", ".tb2", ".bz2"), ("tar", bz2.compress)),
}


def archive(call: Call) -> Response:
    """The archive of a commit, by default of the default branch; its files are in a folder that names the commit."""
    call.require_code()
    if call.get("exclude_paths"):
        raise not_implemented("the parameter exclude_paths of archives")
    repository, ref = call.project.repository, call.get("sha") or call.project.repository.default_branch
    sha, path = repository.resolve(ref), call.get("path") or ""
    if sha is None:
        raise not_found("File")
    folder = "-".join([call.project.path, ref.replace("/", "-"), sha, *path.strip("/").split("/")]).rstrip("-")
    extension = call.raw_path.rpartition("/archive")[2] or _TAR_GZ
    form, compress = _FORMATS[extension]
    arguments = ["archive", f"--format={form}", f"--prefix={folder}/", sha, *([f"./{path.strip('/')}"] if path else [])]
    try:
        content = compress(repository.git.output(repository.path, *arguments))
    except GitError as error:
        raise not_found("File") from error
    disposition = f'attachment; filename="{folder}{extension}"'
    return Response(content, headers={"content-disposition": disposition}, media_type="application/octet-stream")


for _extension in ("", *_FORMATS):
    route("GET", f"/projects/:id/repository/archive{_extension}", "sha path exclude_paths:list include_lfs_blobs:bool")(
        archive
    )
