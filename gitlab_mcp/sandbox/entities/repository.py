"""Commits, branches, tags, files and diffs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.git.diffs import FileDiff, statistics
from gitlab_mcp.sandbox.git.repository import Commit, TagRef
from gitlab_mcp.sandbox.git.trees import Entry
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.users import DEVELOPER, MAINTAINER, User
from gitlab_mcp.sandbox.state.world import World

_GENERATED = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "go.sum", "Gemfile.lock", "poetry.lock")


def _moment(date: str) -> str:
    # git writes 2026-01-02T03:04:05+00:00, GitLab adds the milliseconds.
    return f"{date[:19]}.000{date[19:]}"


def commit(world: World, project: Project, one: Commit) -> dict[str, Any]:
    """Commit."""
    return {
        "id": one.sha,
        "short_id": one.sha[:8],
        "created_at": _moment(one.committed_at),
        "parent_ids": list(one.parents),
        "title": one.title,
        "message": one.message,
        "author_name": one.author_name,
        "author_email": one.author_email,
        "authored_date": _moment(one.authored_at),
        "committer_name": one.committer_name,
        "committer_email": one.committer_email,
        "committed_date": _moment(one.committed_at),
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{web_url(world, project)}/-/commit/{one.sha}",
    }


def commit_stats(project: Project, one: Commit) -> dict[str, int]:
    """CommitStats."""
    added, removed = statistics(project.repository, one.sha, one.parents)
    return {"additions": added, "deletions": removed, "total": added + removed}


def commit_detail(world: World, project: Project, one: Commit, *, stats: bool = True) -> dict[str, Any]:
    """CommitDetail."""
    return {
        **commit(world, project, one),
        **({"stats": commit_stats(project, one)} if stats else {}),
        "status": None,
        "project_id": project.id,
        "last_pipeline": None,
    }


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


def tag(world: World, project: Project, one: TagRef, target: Commit) -> dict[str, Any]:
    """Tag."""
    return {
        "name": one.name,
        "message": one.message.rstrip("\n"),
        "target": one.target,
        "commit": commit(world, project, target),
        "release": None,
        "protected": False,
        "created_at": _moment(one.tagged_at) if one.tagged_at else None,
    }


def tree_object(entry: Entry) -> dict[str, Any]:
    """TreeObject."""
    return {"id": entry.sha, "name": entry.name, "type": entry.type, "path": entry.path, "mode": entry.mode}


def diff(one: FileDiff, *, unidiff: bool = False) -> dict[str, Any]:
    """Diff."""
    patch = "" if one.too_large else one.patch
    if unidiff and patch.startswith("@@"):
        old = "/dev/null" if one.status == "A" else f"a/{one.old_path}"
        new = "/dev/null" if one.status == "D" else f"b/{one.new_path}"
        patch = f"--- {old}\n+++ {new}\n{patch}"
    return {
        "diff": patch,
        "collapsed": False,
        "too_large": one.too_large,
        "new_path": one.new_path,
        "old_path": one.old_path,
        "a_mode": "0" if one.status == "A" else one.old_mode,
        "b_mode": "0" if one.status == "D" else one.new_mode,
        "new_file": one.status == "A",
        "renamed_file": one.status == "R",
        "deleted_file": one.status == "D",
        "generated_file": one.new_path.rsplit("/", 1)[-1] in _GENERATED,
    }
