"""The artifacts of jobs: the archive, and single files and folders in it (lib/api/ci/job_artifacts.rb)."""

from __future__ import annotations

import mimetypes

from gitlab_mcp.sandbox.entities.pipelines import ARCHIVE_NAME, artifact_entry, artifacts_archive
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.pipelines import job_of
from gitlab_mcp.sandbox.state.model import Job
from gitlab_mcp.sandbox.text.paths import is_valid_file_path

_JOB = "/projects/:id/jobs/:job_id/artifacts"
_REF = "/projects/:id/jobs/artifacts/:ref_name"


def _archive(job: Job) -> Response:
    if not job.artifacts:
        raise not_found()
    headers = {"content-disposition": f'attachment; filename="{ARCHIVE_NAME}"'}
    return Response(artifacts_archive(job), headers=headers, media_type="application/zip")


def _file(call: Call, job: Job) -> Response:
    path = call.path["artifact_path"]
    if not job.artifacts:
        raise not_found()
    if not is_valid_file_path(path) or path.endswith("/"):
        raise ApiError(400, {"message": "400 Bad request"})
    if path not in job.artifacts:
        raise not_found()
    kind, _ = mimetypes.guess_type(path)
    return Response(job.artifacts[path], media_type=kind or "application/octet-stream")


def _latest(call: Call) -> Job:
    """The newest successful job of this name in the newest successful pipeline of a ref. Raises 404."""
    call.require_code()
    for pipeline in reversed(list(call.project.pipelines.values())):
        if pipeline.ref == call.path["ref_name"] and pipeline.status == "success":
            for job in reversed(pipeline.jobs):
                if (job.name, job.status) == (call.params["job"], "success"):
                    return job
    raise not_found("Job")


@route("GET", _JOB, job_token=True)
def download(call: Call) -> Response:
    return _archive(job_of(call))


@route("GET", f"{_JOB}/tree", "path recursive:bool", job_token=True)
def list_files(call: Call) -> Response:
    job = job_of(call)
    if not job.artifacts:
        raise not_found("Artifacts")
    path = (call.get("path") or "").removesuffix("/")
    top = f"{path}/" if path else ""
    below = [name for name in job.artifacts if name.startswith(top)]
    if not below:
        raise not_found("Path")
    entries = {f"{folder}/" for name in below for folder in _folders(name) if f"{folder}/" != top} | set(below)
    if not call.get("recursive"):
        entries = {
            f"{top}{entry[len(top) :].partition('/')[0]}{'/' if '/' in entry[len(top) :] else ''}" for entry in entries
        }
    # Folders come first: entry.directories + entry.files.
    ordered = sorted(entries, key=lambda entry: (not entry.endswith("/"), entry))
    return paginate(call, ordered, lambda entry: artifact_entry(entry, job.artifacts.get(entry)))


def _folders(path: str) -> list[str]:
    """The folders above a path."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


@route("GET", f"{_JOB}/*artifact_path", job_token=True)
def download_file(call: Call) -> Response:
    return _file(call, job_of(call))


@route("GET", f"{_REF}/download", "job*", job_token=True)
def download_latest(call: Call) -> Response:
    return _archive(_latest(call))


@route("GET", f"{_REF}/raw/*artifact_path", "job*", job_token=True)
def download_latest_file(call: Call) -> Response:
    return _file(call, _latest(call))
