"""Reading commits."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import commits, repository
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_basic
from gitlab_mcp.sandbox.git.diff_limits import limited
from gitlab_mcp.sandbox.git.diffs import of_commit
from gitlab_mcp.sandbox.git.process import GitError
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import not_found, not_implemented
from gitlab_mcp.sandbox.http.pagination import page_of, paginate
from gitlab_mcp.sandbox.http.routing import route

_ALL = "/projects/:id/repository/commits"


def commit_of_path(call: Call) -> Commit:
    """The commit of the path, which may be a sha, a branch or a tag."""
    call.require_code()
    repo = call.project.repository
    sha = repo.resolve(call.path["sha"])
    if sha is None:
        raise not_found("Commit")
    return repo.commit(sha)


@route(
    "GET",
    _ALL,
    "ref_name path since:dt until:dt author all:bool with_stats:bool first_parent:bool follow:bool "
    "order:enum(default|topo)=default trailers:bool",
)
def list_commits(call: Call) -> Response:
    call.require_code()
    repo = call.project.repository
    options = ["--topo-order"] if call.get("order") == "topo" else []
    options += ["--first-parent"] if call.get("first_parent") else []
    options += [f"--since={call.params['since'].isoformat()}"] if call.get("since") else []
    options += [f"--until={call.params['until'].isoformat()}"] if call.get("until") else []
    options += [f"--author={call.params['author']}"] if call.get("author") else []
    page, per_page = page_of(call)
    options.append(f"--max-count={page * per_page + 1}")
    if call.get("all"):
        start = ["--branches", "--tags"]
    else:
        start = _start(call)
        if not start:
            return paginate(call, [], lambda none: none, total=False)
    path = (call.get("path") or "").strip("/")
    options += ["--follow"] if call.get("follow") and path else []
    try:
        found = repo.log([*options, *start, "--", *([f":(literal){path}"] if path else [])])
    except GitError as error:
        raise not_implemented(f"this list of commits ({error.message.strip()})") from error

    def present(commit: Commit) -> dict[str, Any]:
        entity = repository.commit(call.world, call.project, commit, trailers=bool(call.get("trailers")))
        if call.get("with_stats"):
            entity["stats"] = repository.commit_stats(call.project, commit)
        return entity

    return paginate(call, found, present, total=False)


def _start(call: Call) -> list[str]:
    """The revisions for git log; GitLab's ref_name is a branch, a tag, a commit or a range such as main..topic."""
    repo = call.project.repository
    ref = call.get("ref_name") or repo.default_branch
    excluded, dots, included = ref.partition("..")
    found = {name: repo.resolve(name) for name in ((excluded, included) if dots else (ref,))}
    if None in found.values():
        if repo.is_empty():
            return []
        raise not_found("Commit")
    return [f"{found[included]}", f"^{found[excluded]}"] if dots else [f"{found[ref]}"]


@route("GET", f"{_ALL}/:sha", "stats:bool=true", job_token=True)
def get_commit(call: Call) -> Any:
    commit = commit_of_path(call)
    return commits.commit_detail(call.world, call.project, commit, stats=call.params["stats"])


@route("GET", f"{_ALL}/:sha/diff", "unidiff:bool")
def get_diff(call: Call) -> Response:
    commit = commit_of_path(call)
    shown, _ = limited(of_commit(call.project.repository, commit.sha, commit.parents), expanded=True)
    return paginate(call, shown, lambda each: repository.diff(each, unidiff=bool(call.get("unidiff"))))


@route("GET", f"{_ALL}/:sha/merge_requests", "state:enum(opened|closed|locked|merged|all)", job_token=True)
def get_merge_requests(call: Call) -> Response:
    commit = commit_of_path(call)
    repo = call.project.repository
    merge_requests = []
    for merge_request in list(call.project.merge_requests.values()):
        version = merge_request.version
        inside = commit.sha in repo.run("rev-list", f"{version.base}..{version.head}").split()
        if inside or commit.sha in (merge_request.merge_commit_sha, merge_request.squash_commit_sha):
            merge_requests.append(merge_request)
    if call.get("state") not in (None, "all"):
        merge_requests = [each for each in merge_requests if each.state == call.params["state"]]
    return paginate(call, merge_requests, lambda each: merge_request_basic(call.world, each))


@route("GET", f"{_ALL}/:sha/refs", "type:enum(branch|tag|all)=all")
def get_refs(call: Call) -> Response:
    commit = commit_of_path(call)
    repo = call.project.repository
    refs = []
    for kind, prefix in (("branch", "refs/heads/"), ("tag", "refs/tags/")):
        if call.get("type") in (kind, "all"):
            refs += [{"type": kind, "name": name} for name in repo.refs(prefix, f"--contains={commit.sha}")]
    return paginate(call, refs, lambda each: each)
