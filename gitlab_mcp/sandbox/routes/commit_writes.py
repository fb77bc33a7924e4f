"""Creating commits: from file actions, and as cherry-picks and reverts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from gitlab_mcp.sandbox.entities import commits, repository
from gitlab_mcp.sandbox.git.commit_files import Action, InvalidAction, Signature, build_commit, check_unchanged
from gitlab_mcp.sandbox.git.merges import Conflict, identity, pick
from gitlab_mcp.sandbox.git.repository import Commit, RefMoved, branch_refusal, valid_branch_name
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, bad_request, forbidden, invalid_parameter
from gitlab_mcp.sandbox.http.parameters import check as check_params
from gitlab_mcp.sandbox.http.parameters import declare
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.branches import branch_tip
from gitlab_mcp.sandbox.routes.commits import commit_of_path
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.model import MergeRequest

_ACTION = declare(
    "action*:enum(create|update|delete|move|chmod) file_path* previous_path content:any "
    "encoding:enum(text|base64)=text last_commit_id execute_filemode:bool"
)
# A push may move the branch while a commit is built. Gitaly's callers retry too, a limited number of times.
_ATTEMPTS = 20


@route(
    "POST",
    "/projects/:id/repository/commits",
    "branch* commit_message* actions*:array start_branch start_sha start_project:any author_email author_name "
    "stats:bool=true force:bool=false",
)
def create_commit(call: Call) -> Any:
    if call.get("start_branch") and call.get("start_sha"):
        raise invalid_parameter("start_branch, start_sha are mutually exclusive")
    actions = read_actions(call.params["actions"])
    sha = commit(call, actions)
    created = call.project.repository.commit(sha)
    return commits.commit_detail(call.world, call.project, created, stats=call.params["stats"])


def read_actions(raw_actions: list[Any]) -> list[Action]:
    """The actions of a commit, validated as Grape does; raises 400 with all errors in one message, by index."""
    errors, actions = [], []
    for index, raw in enumerate(raw_actions):
        if not isinstance(raw, dict):
            raise invalid_parameter("actions is invalid")
        try:
            checked = check_params(_ACTION, raw)
        except Exception as error:
            body = getattr(error, "body", None)
            if not isinstance(body, dict):
                raise
            errors += [f"actions[{index}][{message.replace(' ', '] ', 1)}" for message in body["error"].split(", ")]
            continue
        kind = checked["action"]
        if kind == "update" and checked.get("content") is None:
            errors.append(f"actions[{index}][content] is missing")
        if kind == "move" and not checked.get("previous_path"):
            errors.append(f"actions[{index}][previous_path] is missing")
        if kind == "chmod" and "execute_filemode" not in checked:
            errors.append(f"actions[{index}][execute_filemode] is missing")
        if not errors:
            actions.append(_action(checked))
    if errors:
        raise invalid_parameter(", ".join(errors))
    return actions


def _action(checked: dict[str, Any]) -> Action:
    return Action(
        checked["action"],
        checked["file_path"],
        checked.get("previous_path") or "",
        decode(checked.get("content"), checked.get("encoding") or "text"),
        checked.get("last_commit_id") or "",
        checked.get("execute_filemode"),
    )


def decode(content: Any, encoding: str) -> bytes | None:
    """The bytes of a file's content; raises GitLab's 400 for invalid base64."""
    if content is None:
        return None
    if not isinstance(content, str):
        content = str(content)
    if encoding != "base64":
        return str(content).encode("utf-8")
    try:
        return base64.b64decode(re.sub(r"\s", "", content), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request("Invalid base64") from error


def commit(call: Call, actions: list[Action], *, start_branch: str | None = None) -> str:
    """Commit all actions to the branch of the call, or none, and return the new sha."""
    project, params = call.project, call.params
    branch, message = params["branch"], params["commit_message"]
    start_branch = start_branch or params.get("start_branch") or None
    start_sha = params.get("start_sha") or None
    if not permissions.may_push(call.user, project, branch):
        raise forbidden("You are not allowed to push into this branch")
    if params.get("force") and not (start_branch or start_sha):
        raise invalid_parameter("force should be used with start_branch or start_sha")
    author = Signature(params.get("author_name") or call.me.name, params.get("author_email") or call.me.email)
    committer = Signature(call.me.name, call.me.email)

    def build(parent: str | None) -> str:
        try:
            check_unchanged(project.repository, parent, actions)
            return build_commit(project.repository, parent, actions, message, author, committer, call.world.now())
        except InvalidAction as fault:
            raise bad_request(str(fault)) from fault

    return move_branch(
        call, branch, build, start_branch=start_branch, start_sha=start_sha, force=bool(params.get("force"))
    )


def move_branch(
    call: Call,
    branch: str,
    build: Callable[[str | None], str],
    *,
    start_branch: str | None = None,
    start_sha: str | None = None,
    force: bool = False,
) -> str:
    """Add the commit that `build` makes for a parent to a branch, and return its sha.

    If the branch moved meanwhile, the commit is built again.
    """
    repo = call.project.repository
    for _ in range(_ATTEMPTS):
        tip = repo.branch(branch)
        parent = _parent(call, branch, tip, start_branch, start_sha, force)
        sha = build(parent)
        try:
            repo.update_ref(f"refs/heads/{branch}", sha, tip)
        except RefMoved as error:
            if repo.branch(branch) == tip:
                raise bad_request(
                    f"Something went wrong when we tried to create '{branch}' for you: {error}"
                ) from error
            continue
        activity.branch_moved(call.world, call.project, call.me, branch, tip or parent, sha)
        return sha
    raise bad_request(f"Could not update refs/heads/{branch}. Please refresh and try again.")


def _parent(
    call: Call, branch: str, tip: str | None, start_branch: str | None, start_sha: str | None, force: bool
) -> str | None:
    repo = call.project.repository
    empty = repo.is_empty()
    different = bool(start_sha) or (start_branch is not None and start_branch != branch)
    parent = tip
    if start_sha:
        if not re.fullmatch(r"[0-9a-f]{40}", start_sha):
            raise bad_request(f"Invalid start_sha '{start_sha}'")
        parent = repo.resolve(start_sha)
        if parent is None:
            raise bad_request(f"Cannot find start_sha '{start_sha}'")
    elif different and start_branch:
        parent = repo.branch(start_branch)
    if not empty and parent is None:
        raise bad_request("You can only create or edit files when you are on a branch")
    if not empty and different and tip and not force:
        raise bad_request(f"A branch called '{branch}' already exists. Switch to that branch in order to make changes")
    if tip is None and not valid_branch_name(branch):
        raise bad_request(f"Something went wrong when we tried to create '{branch}' for you: Branch name is invalid")
    if tip is None and (refusal := branch_refusal(branch)):
        raise bad_request(refusal)
    return parent


@route("POST", "/projects/:id/repository/commits/:sha/cherry_pick", "branch* dry_run:bool message")
def cherry_pick(call: Call) -> Any:
    return _apply(call, revert=False)


@route("POST", "/projects/:id/repository/commits/:sha/revert", "branch* dry_run:bool")
def revert(call: Call) -> Any:
    return _apply(call, revert=True)


def _merged_by(call: Call, commit: Commit) -> MergeRequest | None:
    """The merge request whose merge made a commit (Commit#merged_merge_request), or None."""
    requests = list(call.project.merge_requests.values())
    return next((one for one in requests if commit.sha in (one.merge_commit_sha, one.squash_commit_sha)), None)


def _cherry_pick_message(call: Call, commit: Commit) -> str:
    """Commit#cherry_pick_message: the message with a trailer, and what a merged merge request consisted of."""
    message = f"{commit.message}\n\n(cherry picked from commit {commit.sha})"
    if merge_request := _merged_by(call, commit):
        version = merge_request.version
        inside = call.project.repository.log(["--reverse", f"{version.base}..{version.head}"])
        message += "\n" + "".join(f"\n{one.sha[:8]} {one.title}" for one in inside)
    return message


def _revert_message(call: Call, commit: Commit) -> str:
    """Commit#revert_message."""
    merge_request = _merged_by(call, commit)
    what = f"merge request {merge_request.reference}" if merge_request else f"commit {commit.sha}"
    return f'Revert "{commit.title.strip()}"\n\nThis reverts {what}'


def _apply(call: Call, *, revert: bool) -> Any:
    branch, repo = call.params["branch"], call.project.repository
    if not permissions.may_push(call.user, call.project, branch):
        raise forbidden("You are not allowed to push into this branch")
    commit = commit_of_path(call)
    branch_tip(call, branch)
    word = "revert" if revert else "cherry-pick"
    message = _revert_message(call, commit) if revert else call.get("message") or _cherry_pick_message(call, commit)

    def build(parent: str | None) -> str:
        if parent is None:
            raise bad_request("You can only create or edit files when you are on a branch")
        who = identity(call.me.name, call.me.email, call.world.now(), "COMMITTER")
        try:
            return pick(repo, parent, commit.sha, who, message=message, revert=revert)
        except Conflict as error:
            text = (
                f"Sorry, we cannot {word} this commit automatically. This commit may already have been {word}ed, "
                "or a more recent commit may have updated some of its content."
            )
            dry_run = {"dry_run": "error"} if call.get("dry_run") else {}
            code = "empty" if error.empty else "conflict"
            raise ApiError(400, {"message": text, "error_code": code, **dry_run}) from error

    if call.get("dry_run"):
        build(repo.branch(branch))
        return Response({"dry_run": "success"}, 200)
    sha = move_branch(call, branch, build)
    return repository.commit(call.world, call.project, repo.commit(sha))
