"""Pipelines that begin: by themselves after a push and for a merge request, without jobs, or by request. None runs."""

from __future__ import annotations

from gitlab_mcp.sandbox.git.trees import find, read_blob
from gitlab_mcp.sandbox.http.errors import bad_request
from gitlab_mcp.sandbox.state.model import Job, MergeRequest, Pipeline, Project
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.ci_configuration import read_configuration

_FILE = ".gitlab-ci.yml"
_MERGE_REQUEST = "merge_request_event"


def begin_for_push(world: World, project: Project, user: User, branch: str, sha: str, status: str) -> None:
    """Begin the pipeline of a branch that was pushed, if the commit says what is to run."""
    if _configuration(project, sha) is not None:
        _begin(world, project, user, branch, sha, "push", status)


def begin_for_merge_request(world: World, one: MergeRequest) -> None:
    """Begin the pipeline of a merge request that was opened, if its configuration speaks of such pipelines.

    GitLab evaluates the rules of the jobs; here it is enough that the file names the source.
    """
    sha = one.version.head
    if _MERGE_REQUEST in (_configuration(one.project, sha) or ""):
        _begin(world, one.project, one.author, merge_request_ref(one), sha, _MERGE_REQUEST, "created")


def pipelines_of(one: MergeRequest) -> list[Pipeline]:
    """The pipelines of a merge request, its branch's own among them, newest first."""
    heads = {version.head for version in one.versions}
    refs = (merge_request_ref(one), one.source_branch)
    found = [each for each in list(one.project.pipelines.values()) if each.ref in refs and each.sha in heads]
    return found[::-1]


def merge_request_ref(one: MergeRequest) -> str:
    """What the pipelines of a merge request have in the place of a branch."""
    return f"refs/merge-requests/{one.iid}/head"


def begin_asked_for(world: World, project: Project, user: User, ref: str, sha: str) -> Pipeline:
    """Begin the pipeline that somebody asked for, with its jobs waiting. Raises 400 in GitLab's words."""
    text = _configuration(project, sha)
    if text is None:
        raise bad_request({"base": ["Missing CI config file"]})
    configuration = read_configuration(text)
    if configuration.errors:
        raise bad_request({"base": configuration.errors})
    made = _begin(world, project, user, ref, sha, "api", "created")
    order = [".pre", *configuration.stages, ".post"]
    for one in sorted(configuration.jobs, key=lambda job: order.index(job.stage)):
        allowed = one.keywords.get("allow_failure") == "true"
        made.jobs.append(Job(world.next_id("job"), one.name, one.stage, made, allow_failure=allowed))
    return made


def read_ci_file(project: Project, ref: str) -> str | None:
    """The text of .gitlab-ci.yml at a ref, or None where there is none."""
    sha = project.repository.resolve(ref)
    return _configuration(project, sha) if sha else None


def _configuration(project: Project, sha: str) -> str | None:
    entry = find(project.repository, sha, _FILE)
    if entry is None or entry.type != "blob":
        return None
    return read_blob(project.repository, entry.sha).decode("utf-8", "replace")


def _begin(world: World, project: Project, user: User, ref: str, sha: str, source: str, status: str) -> Pipeline:
    iid = max((pipeline.iid for pipeline in project.pipelines.values()), default=0) + 1
    made = Pipeline(world.next_id("pipeline"), iid, project, ref, sha, user, world.now(), status, source)
    project.pipelines[made.id] = made
    return made
