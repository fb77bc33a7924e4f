"""The tool that reads a file which people attached, and the attaching of files to texts that other tools write."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote, urljoin

from pydantic import Field

from gitlab_mcp.api.project import Project as GitLabProject
from gitlab_mcp.api.uploads import UPLOAD, Upload, read, uploads_in
from gitlab_mcp.config.checkout import other_origin
from gitlab_mcp.errors import InvalidArgument, Refused, naming
from gitlab_mcp.render.attachments import FILE_BYTES, Picture, attachment
from gitlab_mcp.safety.sanitize import quoted_line
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import PageNumber, Path, Project
from gitlab_mcp.tools.references import is_url

ADDRESS_CHARACTERS = 4_000
AROUND_LINK = re.compile(r"[\s()\[\]<>\"'=`]")
# GitLab's routes of uploads name the project, or the group, by its id; older ones by its path.
BY_ID = re.compile(r"(?P<site>.*)/-/(?P<noun>project|group)/(?P<id>\d{1,18})")
ATTACHED_FILES = 10

Attach = Annotated[list[Path], Field(max_length=ATTACHED_FILES, description="files on disk to upload and link")]


@tool(toolset="discussions", job_token=False)
def get_attachment(
    ctx: Ctx,
    url: Annotated[str, Field(description="/uploads/SECRET/name as in the text, or its web URL")],
    page: PageNumber = 1,
    project: Project = "",
) -> str | Picture:
    """Read a file attached to an issue, merge request or comment: images are shown, text quoted."""
    place, upload = _parsed(url)
    target = _project_of(ctx, place, project)
    if ctx.settings.trusted_only and upload not in ctx.app.members.vouched:
        first = naming(": read it with {} first", "get_issue", "get_merge_request", "list_discussions")
        raise Refused(f"Withheld: no text by a Developer or more that this run has read names this file{first}.")
    arguments = {"url": url, "project": project}
    with ctx.file_in_memory():
        return attachment(upload.name, read(target, upload, FILE_BYTES), page, "get_attachment", arguments)


def _parsed(url: str) -> tuple[str, Upload]:
    """What stands before /uploads/ in an address, or in Markdown around one, and the upload."""
    match = UPLOAD.search(url) if len(url) <= ADDRESS_CHARACTERS else None
    upload = next(uploads_in(match[0]), None) if match else None
    if match is None or upload is None:
        raise InvalidArgument(
            f"url is {quoted_line(url, 200)}: give the address of an attached file as the text has it, such as"
            " /uploads/5f0f1f5a1b6c2d3e4f5a6b7c8d9e0f1a/screenshot.png."
        )
    return AROUND_LINK.split(url[: match.start()])[-1].removesuffix("/-"), upload


def _project_of(ctx: Ctx, place: str, project: str) -> GitLabProject:
    """The project of an upload. Raises InvalidArgument for another GitLab, a group, and one that `project` denies."""
    if not place:
        return ctx.project(project)
    if by_id := BY_ID.fullmatch(place):
        if by_id["noun"] == "group":
            raise InvalidArgument("It is a file of a group, which no tool here reads: a person can open it.")
        target = ctx.app.project(by_id["id"])
        if is_url(by_id["site"]) or by_id["site"].startswith("//"):
            # Raises InvalidArgument for another GitLab.
            ctx.project(urljoin(ctx.settings.url, f"{by_id['site']}/{target.full_path}"))
    else:
        target = ctx.project(urljoin(ctx.settings.url, place))
    if project and not ctx.project(project).is_called(target.name):
        raise InvalidArgument(f'The file is of project "{target.name}", but project says "{project}": leave it out.')
    return target


def attached(ctx: Ctx, project: GitLabProject, text: str, paths: Sequence[str]) -> str:
    """Upload files of the working directory, and return `text` with links to them.

    A link to one of the paths in the text is changed to that of the upload; the other uploads are linked at the end.

    Raises Refused, before anything is uploaded, for a file that is not to be read or that contains a secret of the run.
    """
    if not paths:
        return text
    worktree = ctx.worktree(project)
    if worktree is None:
        raise InvalidArgument(
            f"There is no working directory of project {project.name} to take files from: leave attach out."
            f" {other_origin(ctx.settings.other_checkout, ctx.settings.url)}".rstrip()
        )
    files = worktree.attachments(paths)
    uploads = f"{project.path}/uploads"
    ctx.gitlab.policy.check("post", uploads, {"text": text}, lambda _project: "")
    for path, content in files.items():
        ctx.gitlab.policy.check("post", uploads, None, lambda _project: "", (path, content))
    at_end = []
    for path, content in files.items():
        upload = ctx.app.uploads.upload(project, PurePosixPath(path).name, content)
        address = f"]({upload.text('url')})"
        links = [link for link in _links_to(path) if link in text]
        for link in links:
            text = text.replace(link, address)
        if not links:
            at_end.append(upload.text("markdown"))
    return "\n\n".join(filter(None, (text.rstrip() if at_end else text, *at_end)))


def _links_to(path: str) -> list[str]:
    """How a link in Markdown may end that points to a file: as it is, percent-encoded, in angle brackets, with "./"."""
    spelled = dict.fromkeys((path, quote(path), f"./{path}", f"./{quote(path)}"))
    return [link for each in spelled for link in (f"]({each})", f"](<{each}>)")]
