"""Packages and their files."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.pipelines import pipeline_basic
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.packages import Package, PackageFile
from gitlab_mcp.sandbox.state.world import World


def package(world: World, project: Project, package: Package, *, may_delete: bool, alone: bool) -> dict[str, Any]:
    """Package; `alone` is whether it is not one of a list."""
    links = {"web_path": f"/{project.full_path}/-/packages/{package.id}"}
    if may_delete:
        links["delete_api_path"] = f"{world.url}/api/v4/projects/{project.id}/packages/{package.id}"
    entity: dict[str, Any] = {
        "id": package.id,
        "name": package.name,
        "version": package.version,
        "package_type": "generic",
        "status": package.status,
        "_links": links,
        "created_at": stamp(package.created_at),
        "last_downloaded_at": stamp(package.last_downloaded_at),
        "tags": [],
    }
    if pipeline := project.pipelines.get(package.pipeline_id or 0):
        entity["pipeline"] = pipeline_basic(world, pipeline)
        entity["pipeline"]["user"] = user_basic(world, pipeline.user)
        entity["pipelines"] = []
    return entity | ({"versions": []} if alone else {})


def package_file(package: Package, file: PackageFile) -> dict[str, Any]:
    """PackageFile; an upload is stored without the checksums of the older kinds."""
    return {
        "id": file.id,
        "package_id": package.id,
        "created_at": stamp(file.created_at),
        "file_name": file.name,
        "size": len(file.content),
        "file_md5": None,
        "file_sha1": None,
        "file_sha256": file.sha256,
    }


def stored_package_file(package: Package, file: PackageFile) -> dict[str, Any]:
    """What select=package_file returns: the record itself (GitLab docs, generic packages repository)."""
    path = "/".join((file.sha256[:2], file.sha256[2:4], file.sha256, "packages", str(package.id), "files"))
    return {
        **package_file(package, file),
        "updated_at": stamp(file.created_at),
        "file_store": 1,
        "file": {"url": f"/{path}/{file.id}/{file.name}"},
        "status": "default",
    }
