"""Packages and their files (lib/api/project_packages.rb, lib/api/package_files.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import packages
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.packages import Package
from gitlab_mcp.sandbox.state.users import MAINTAINER, REPORTER

_ALL = "/projects/:id/packages"
_ONE = f"{_ALL}/:package_id"
_FILES = f"{_ONE}/package_files"
_TYPES = "maven|npm|conan|nuget|pypi|composer|generic|golang|debian|rubygems|helm|terraform_module|rpm|ml_model|cargo"


def require_registry(call: Call) -> None:
    """Raise 403 where the project has no package registry or the caller may not read it (ProjectPolicy).

    GitLab docs, permissions: reading packages of a private project takes a Reporter.
    """
    settings = call.project.settings
    enabled = settings.get("packages_enabled", True) and settings.get("package_registry_access_level") != "disabled"
    if not enabled or (call.project.visibility == "private" and call.role < REPORTER):
        raise forbidden()


def missing_record() -> ApiError:
    """404 for a record that GitLab looks up with a query that raises (ActiveRecord::RecordNotFound)."""
    return ApiError(404, {"message": "404 Not found"})


def _package(call: Call) -> Package:
    require_registry(call)
    number = call.number("package_id", "Package")
    for package in call.project.packages:
        if package.id == number:
            return package
    raise missing_record()


@route(
    "GET",
    _ALL,
    f"order_by:enum(created_at|name|version|type)=created_at sort:enum(asc|desc)=asc package_type:enum({_TYPES}) "
    "package_name package_version include_versionless:bool "
    "status:enum(default|hidden|processing|error|pending_destruction|deprecated)",
    job_token=True,
)
def list_packages(call: Call) -> Response:
    """Packages::PackagesFinder: without a status, hidden packages are left out."""
    require_registry(call)
    wanted = call.get("status") or "default"
    listed = [one for one in call.project.packages if one.status == wanted]
    if call.get("package_type") not in (None, "generic"):
        listed = []
    if name := call.get("package_name"):
        listed = [one for one in listed if name.lower() in one.name.lower()]
    if version := call.get("package_version"):
        listed = [one for one in listed if one.version == version]
    key = call.params["order_by"] or "created_at"
    listed.sort(key=lambda one: (getattr(one, key, ""), one.id), reverse=call.get("sort") == "desc")
    may_delete = call.role >= MAINTAINER
    return paginate(
        call, listed, lambda one: packages.package(call.world, call.project, one, may_delete=may_delete, alone=False)
    )


@route("GET", _ONE, job_token=True)
def get_package(call: Call) -> Any:
    may_delete = call.role >= MAINTAINER
    return packages.package(call.world, call.project, _package(call), may_delete=may_delete, alone=True)


@route("DELETE", _ONE, job_token=True)
def delete_package(call: Call) -> Any:
    require_registry(call)
    call.require(MAINTAINER)
    call.project.packages.remove(_package(call))
    return None


@route("GET", _FILES, "order_by:enum(id|created_at|file_name)=id sort:enum(asc|desc)=asc", job_token=True)
def list_package_files(call: Call) -> Response:
    package = _package(call)
    keys = {"created_at": lambda one: one.created_at, "file_name": lambda one: one.name}
    files = sorted(package.files, key=lambda one: one.id)
    files.sort(key=keys.get(call.get("order_by") or "id", lambda one: one.id), reverse=call.get("sort") == "desc")
    return paginate(call, files, lambda one: packages.package_file(package, one))


@route("DELETE", f"{_FILES}/:package_file_id", job_token=True)
def delete_package_file(call: Call) -> Any:
    require_registry(call)
    call.require(MAINTAINER)
    package = _package(call)
    number = call.number("package_file_id", "")
    file = next((one for one in package.files if one.id == number), None)
    if file is None:
        raise not_found()
    package.files.remove(file)
    return None
