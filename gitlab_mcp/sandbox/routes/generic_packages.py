"""Uploading and downloading the files of generic packages (lib/api/generic_packages.rb)."""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from gitlab_mcp.sandbox.entities.packages import stored_package_file
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request_reason, invalid_parameter
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.packages import missing_record, require_registry
from gitlab_mcp.sandbox.state.packages import Package, PackageFile
from gitlab_mcp.sandbox.state.users import DEVELOPER

_FILE = "/projects/:id/packages/generic/:package_name/:package_version/:file_name"
# Gitlab::Regex::Packages: generic_package_name_regex, generic_package_version_regex, generic_package_file_name_regex
_FORMS = {
    "package_name": re.compile(r"[A-Za-z0-9._\-+]+"),
    "package_version": re.compile(r"(?!.*\.\.)[\w+.-]+", re.ASCII),
    "file_name": re.compile(r"(?!~)[A-Za-z0-9._\-+~]+(?<!~)"),
}


def _names(call: Call) -> tuple[str, str, str]:
    """The name and version of the package, and the name of the file. Raises Grape's 400 for one that is not valid."""
    errors = [f"{part} is invalid" for part, form in _FORMS.items() if not form.fullmatch(call.path[part])]
    errors += [
        f"{part} should be a valid file path"
        for part in ("package_name", "file_name")
        if call.path[part] in (".", "..")
    ]
    if errors:
        raise invalid_parameter(", ".join(errors))
    return call.path["package_name"], call.path["package_version"], call.path["file_name"]


def _find(call: Call, name: str, version: str) -> Package | None:
    return next((one for one in reversed(call.project.packages) if (one.name, one.version) == (name, version)), None)


@route(
    "PUT",
    _FILE,
    "status:enum(default|hidden) select:enum(package_file) file*:file",
    job_token=True,
    basic_auth=True,
    raw_body=True,
)
def upload_package_file(call: Call) -> Any:
    """Packages::Generic::CreatePackageFileService: a file of the same name is added, and from then on served.

    Whether that is allowed is a setting of the group's package registry, which it is by default.
    """
    name, version, file_name = _names(call)
    require_registry(call)
    call.require(DEVELOPER)
    package, now = _find(call, name, version), call.world.now()
    if package is not None and package.file(file_name) and not call.world.generic_duplicates_allowed:
        raise bad_request_reason("Duplicate package is not allowed")
    if package is None:
        package = Package(call.world.next_id("package"), name, version, call.me, now)
        call.project.packages.append(package)
    package.status = call.get("status") or package.status
    if call.token is not None and call.token.job is not None:
        package.pipeline_id = call.token.job.pipeline.id
    file = PackageFile(call.world.next_id("package_file"), file_name, call.params["file"].content, now)
    package.files.append(file)
    if call.get("select"):
        return stored_package_file(package, file)
    return Response({"message": "201 Created"}, 201)


@route("GET", _FILE, job_token=True, basic_auth=True)
def download_package_file(call: Call) -> Response:
    name, version, file_name = _names(call)
    require_registry(call)
    package = _find(call, name, version)
    file = package.file(file_name) if package else None
    if package is None or file is None:
        raise missing_record()
    package.last_downloaded_at = call.world.now()
    kind = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
    headers = {"content-disposition": f'attachment; filename="{file_name}"', "x-checksum-sha256": file.sha256}
    return Response(file.content, headers=headers, media_type=kind)
