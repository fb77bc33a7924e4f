"""Tools for the artifacts of jobs."""

from gitlab_mcp.api import job_artifacts as api
from gitlab_mcp.render import attachments as render
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import FolderPath, JobId, PageNumber, Path, Project


@tool(toolset="pipelines", opt_in=True)
def list_job_artifacts(
    ctx: Ctx,
    job_id: JobId,
    path: FolderPath = "",
    recursive: bool = False,
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List the files of a job's artifacts, or of a folder in them."""
    found = api.tree(ctx.gitlab, f"{ctx.project(project).path}/jobs/{job_id}", path, page, recursive=recursive)
    arguments = {"job_id": job_id, "path": path, "recursive": recursive or None, "project": project}
    return render.artifact_list(found, job_id, path, arguments)


@tool(toolset="pipelines", opt_in=True)
def get_job_artifact(
    ctx: Ctx, job_id: JobId, path: Path, page: PageNumber = 1, project: Project = ""
) -> str | render.Picture:
    """Read one file of a job's artifacts: images are shown, text quoted."""
    arguments = {"job_id": job_id, "path": path, "project": project}
    with ctx.file_in_memory():
        file = api.read(ctx.gitlab, f"{ctx.project(project).path}/jobs/{job_id}", path, render.FILE_BYTES)
        return render.attachment(path, file, page, "get_job_artifact", arguments)
