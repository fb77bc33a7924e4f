"""Commits, branches, tags, files and diffs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.git.diff_limits import ShownDiff
from gitlab_mcp.sandbox.git.diffs import statistics
from gitlab_mcp.sandbox.git.repository import Commit, TagRef
from gitlab_mcp.sandbox.git.trees import Entry
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.users import DEVELOPER, MAINTAINER, User
from gitlab_mcp.sandbox.state.world import World

_GENERATED = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "go.sum", "Gemfile.lock", "poetry.lock")


def _moment(date: str) -> str:
    # git writes 2026-01-02T03:04:05+00:00; GitLab adds milliseconds.
    return f"{date[:19]}.000{date[19:]}"


def commit(world: World, project: Project, commit: Commit, *, trailers: bool = False) -> dict[str, Any]:
    """Commit; its trailers are read only where a call asks for them (lib/api/commits.rb)."""
    pairs = commit.trailers if trailers else ()
    extended: dict[str, list[str]] = {}
    for key, value in pairs:
        extended.setdefault(key, []).append(value)
    return {
        "id": commit.sha,
        "short_id": commit.sha[:8],
        "created_at": _moment(commit.committed_at),
        "parent_ids": list(commit.parents),
        "title": commit.title,
        "message": commit.message,
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "authored_date": _moment(commit.authored_at),
        "committer_name": commit.committer_name,
        "committer_email": commit.committer_email,
        "committed_date": _moment(commit.committed_at),
        "trailers": dict(pairs),
        "extended_trailers": extended,
        "web_url": f"{web_url(world, project)}/-/commit/{commit.sha}",
    }


def commit_stats(project: Project, commit: Commit) -> dict[str, int]:
    """CommitStats."""
    added, removed = statistics(project.repository, commit.sha, commit.parents)
    return {"additions": added, "deletions": removed, "total": added + removed}


def branch(
    world: World, project: Project, user: User | None, name: str, tip: Commit, *, merged: bool
) -> dict[str, Any]:
    """Branch."""
    level = permissions.protection(project, name)
    return {
        "name": name,
        "commit": commit(world, project, tip),
        "merged": merged,
        "protected": level is not None,
        "developers_can_push": level is not None and level <= DEVELOPER,
        "developers_can_merge": level is not None and level < MAINTAINER,
        "can_push": permissions.may_push(user, project, name),
        "default": name == project.repository.default_branch,
        "web_url": f"{web_url(world, project)}/-/tree/{quote(name)}",
    }


def tag(world: World, project: Project, tag: TagRef, target: Commit) -> dict[str, Any]:
    """Tag."""
    releases = (
        {"tag_name": one.tag_name, "description": one.description}
        for one in project.releases
        if one.tag_name == tag.name
    )
    return {
        "name": tag.name,
        "message": tag.message.rstrip("\n"),
        "target": tag.target,
        "commit": commit(world, project, target),
        "release": next(releases, None),
        "protected": False,
        "created_at": _moment(tag.tagged_at) if tag.tagged_at else None,
    }


def tree_object(entry: Entry) -> dict[str, Any]:
    """TreeObject."""
    return {"id": entry.sha, "name": entry.name, "type": entry.type, "path": entry.path, "mode": entry.mode}


def diff(shown: ShownDiff, *, unidiff: bool = False) -> dict[str, Any]:
    """Diff."""
    file_diff, patch = shown.file, shown.patch
    if unidiff and patch.startswith("@@"):
        old = "/dev/null" if file_diff.status == "A" else f"a/{file_diff.old_path}"
        new = "/dev/null" if file_diff.status == "D" else f"b/{file_diff.new_path}"
        patch = f"--- {old}\n+++ {new}\n{patch}"
    return {
        "diff": patch,
        "collapsed": shown.collapsed,
        "too_large": shown.too_large,
        "new_path": file_diff.new_path,
        "old_path": file_diff.old_path,
        "a_mode": "0" if file_diff.status == "A" else file_diff.old_mode,
        "b_mode": "0" if file_diff.status == "D" else file_diff.new_mode,
        "new_file": file_diff.status == "A",
        "renamed_file": file_diff.status == "R",
        "deleted_file": file_diff.status == "D",
        "generated_file": file_diff.new_path.rsplit("/", 1)[-1] in _GENERATED,
    }
