"""Checks of the job that a project has for Claude, from outside: its configuration, and its download of this server."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.project_setup import ONLY_A_JOB, for_maintainers
from gitlab_mcp.doctor.result import CheckResult, failed, in_brackets, in_quotes, passed, warned
from gitlab_mcp.errors import GitLabRefusal, NotFound

NAME_OF_SERVER = "gitlab-mcp-server"
# A wheel in the generic package registry of a project of the same GitLab, as a configuration names it.
PACKAGED_WHEEL = re.compile(
    r"""(?: \$CI_API_V4_URL | \$\{CI_API_V4_URL\} | /api/v4 ) /projects/ (?P<project>[^/\s"']+)
        /packages/generic/ (?P<name>[^/\s"']+) / (?P<version>[^/\s"']+) / (?P<file>[^/\s"'$]+\.whl)""",
    re.VERBOSE,
)
CHECKSUM = re.compile(r"\b[0-9a-f]{64}\b")
ALLOW = "Settings > CI/CD > Job token permissions > Authorized groups and projects > Add group or project"


def job(context: DoctorContext) -> CheckResult:
    """Whether the configuration on the default branch is valid, and contains this server or its component."""
    result = _configuration(context)
    if not result.flag("valid"):
        why = in_brackets("; ".join(result.texts("errors")[:3]))
        what = f"The .gitlab-ci.yml of the default branch is not valid{why}"
        return failed(what, "Correct it: Build > Pipeline editor.")
    if NAME_OF_SERVER in result.text("merged_yaml"):
        return passed(f"The .gitlab-ci.yml of the default branch is valid, and runs {NAME_OF_SERVER}")
    what = f"The .gitlab-ci.yml of the default branch does not name {NAME_OF_SERVER}"
    return warned(what, "Include the component claude as docs/setup.md describes, or merge the set-up's merge request.")


@dataclass(frozen=True)
class WheelFile:
    """A wheel in a package registry: the project that has it, and the names of its package, version and file."""

    project: str
    name: str
    version: str
    file: str


def wheel(context: DoctorContext) -> CheckResult | None:
    """Whether the wheel that the job downloads is there, is the one of the checksum, and may be read by the job."""
    text = _configuration(context).text("merged_yaml")
    match = PACKAGED_WHEEL.search(text)
    if match is None:
        return None
    names = WheelFile(*(unquote(match[group]) for group in ("project", "name", "version", "file")))
    own = for_maintainers(context, lambda gitlab, path: gitlab.get(path))
    is_own = names.project.lower() in (own.text("id"), own.text("path_with_namespace").lower(), "$ci_project_id")
    gitlab, project = context.gitlab(), own.text("id") if is_own else names.project
    what = f"{in_quotes(names.file)}, which the job downloads,"
    try:
        sha256 = _sha256(gitlab, project, names)
    except NotFound:
        sha256 = ""
    if not sha256:
        where = f"the package registry of project {in_quotes(project)}"
        return failed(f"{what} is not in {where}", "Upload it again: docs/setup.md describes how.")
    pinned = set(CHECKSUM.findall(text))
    if sha256 not in pinned:
        remedy = f"Set server_wheel_sha256 to {sha256}, if you know that this is the file that you uploaded."
        if pinned:
            return failed(f"{what} has another SHA-256 than the .gitlab-ci.yml says", remedy)
        return warned(f"{what} is not pinned by its SHA-256", remedy)
    allowed = True if is_own else _is_allowed(gitlab, project, own.number("id"))
    if allowed is False:
        where = f"is in project {in_quotes(project)}, which does not let jobs of this project read it"
        return failed(f"{what} {where}", f"Add this project there: {ALLOW}.")
    if allowed is None:
        return passed(f"{what} is there with its SHA-256; whether jobs may read it: {ONLY_A_JOB}")
    return passed(f"{what} is there with its SHA-256, and jobs may read it")


def _configuration(context: DoctorContext) -> Entity:
    return for_maintainers(context, lambda gitlab, path: gitlab.get(f"{path}/ci/lint"))


def _sha256(gitlab: GitLab, project: str, names: WheelFile) -> str:
    """The SHA-256 of the newest file with these names, which is the one that is served; "" where there is none."""
    path = f"/projects/{segment(project)}/packages"
    listed = gitlab.every(path, package_name=names.name, package_version=names.version, package_type="generic")
    for package in listed:
        if (package.text("name"), package.text("version")) == (names.name, names.version):
            files = gitlab.every(f"{path}/{package.number('id')}/package_files")
            found = [row for row in files if row.text("file_name") == names.file]
            return max(found, key=lambda row: row.number("id"), default=Entity(None)).text("file_sha256")
    return ""


def _is_allowed(gitlab: GitLab, project: str, own: int) -> bool | None:
    """Whether a project accepts the job tokens of this one; None where this user may not see it."""
    path = f"/projects/{segment(project)}/job_token_scope"
    try:
        if not gitlab.get(path).flag("inbound_enabled"):
            return True
        return any(row.number("id") == own for row in gitlab.every(f"{path}/allowlist"))
    except GitLabRefusal:
        return None


CHECKS = (
    Check("job", "whether the default branch's .gitlab-ci.yml runs this server", job),
    Check("wheel", "whether the job can download this server", wheel),
)
