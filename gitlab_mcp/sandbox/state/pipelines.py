"""Creating pipelines: for pushes and merge requests, without jobs, or on request, with jobs. No job is ever run."""

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
    """Create the pipeline of a pushed branch, if the commit has a .gitlab-ci.yml."""
    if _configuration(project, sha) is not None:
        _begin(world, project, user, branch, sha, "push", status)


def begin_for_merge_request(world: World, merge_request: MergeRequest) -> None:
    """Create the pipeline of a new merge request, if its .gitlab-ci.yml contains merge_request_event.

    GitLab evaluates the rules of the jobs; here a mention anywhere in the file is enough.
    """
    sha = merge_request.version.head
    if _MERGE_REQUEST in (_configuration(merge_request.project, sha) or ""):
        _begin(
            world,
            merge_request.project,
            merge_request.author,
            merge_request_ref(merge_request),
            sha,
            _MERGE_REQUEST,
            "created",
        )


def pipelines_of(merge_request: MergeRequest) -> list[Pipeline]:
    """The pipelines of a merge request and of its source branch, newest first."""
    heads = {version.head for version in merge_request.versions}
    refs = (merge_request_ref(merge_request), merge_request.source_branch)
    pipelines = [
        each for each in list(merge_request.project.pipelines.values()) if each.ref in refs and each.sha in heads
    ]
    return pipelines[::-1]


def head_pipeline(merge_request: MergeRequest) -> Pipeline | None:
    """The newest pipeline of the head (MergeRequest#diff_head_pipeline), or None."""
    head = merge_request.version.head
    return next((each for each in pipelines_of(merge_request) if each.sha == head), None)


def merge_request_ref(merge_request: MergeRequest) -> str:
    """The ref of a merge request's pipelines, which takes the place of a branch."""
    return f"refs/merge-requests/{merge_request.iid}/head"


def begin_requested(world: World, project: Project, user: User, ref: str, sha: str) -> Pipeline:
    """Create a pipeline on request, with its jobs in the status created. Raises 400 with GitLab's messages."""
    text = _configuration(project, sha)
    if text is None:
        raise bad_request({"base": ["Missing CI config file"]})
    configuration = read_configuration(text)
    if configuration.errors:
        raise bad_request({"base": configuration.errors})
    pipeline = _begin(world, project, user, ref, sha, "api", "created")
    order = [".pre", *configuration.stages, ".post"]
    for one in sorted(configuration.jobs, key=lambda job: order.index(job.stage)):
        allowed = one.keywords.get("allow_failure") == "true"
        pipeline.jobs.append(Job(world.next_id("job"), one.name, one.stage, pipeline, allow_failure=allowed))
    return pipeline


def read_ci_file(project: Project, ref: str) -> str | None:
    """The content of .gitlab-ci.yml at a ref, or None if the ref or the file does not exist."""
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
