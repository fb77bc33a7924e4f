"""Pushes: what protected branches refuse, and what happens after one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from gitlab_mcp.sandbox import access, activity
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_url
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.merge_request_creation import open_for
from gitlab_mcp.sandbox.model import Project, User
from gitlab_mcp.sandbox.repositories.repository import ZERO
from gitlab_mcp.sandbox.world import World

# git runs these with the spool directory in its environment. A refusal ends the whole push, as at GitLab.
_PRE_RECEIVE = """#!/bin/sh
while read -r old new ref; do
  case "$ref" in
    refs/heads/*) branch=${ref#refs/heads/} ;;
    refs/tags/*) continue ;;
    *) echo "GitLab: You can only push branches and tags." >&2; exit 1 ;;
  esac
  while read -r pattern; do
    case "$branch" in
      $pattern)
        if [ "$new" = 0000000000000000000000000000000000000000 ]; then
          echo "GitLab: You can only delete protected branches using the web interface." >&2; exit 1
        fi
        if [ "$old" != 0000000000000000000000000000000000000000 ] && ! git merge-base --is-ancestor "$old" "$new"; then
          echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2; exit 1
        fi
        if [ "$SANDBOX_MAY_PUSH_PROTECTED" != yes ]; then
          echo "GitLab: You are not allowed to push code to protected branches on this project." >&2; exit 1
        fi ;;
    esac
  done < "$SANDBOX_SPOOL/protected"
  if [ "$new" = 0000000000000000000000000000000000000000 ] && [ "$branch" = "$SANDBOX_DEFAULT_BRANCH" ]; then
    echo "GitLab: The default branch of a project cannot be deleted." >&2; exit 1
  fi
done
"""
_POST_RECEIVE = """#!/bin/sh
cat > "$SANDBOX_SPOOL/updates"
"""


def write_hooks(project: Project, user: User | None, spool: Path) -> dict[str, str]:
    """Write the hooks of one push and what they go by; returns the environment that makes git run them."""
    hooks = spool / "hooks"
    hooks.mkdir()
    for name, text in (("pre-receive", _PRE_RECEIVE), ("post-receive", _POST_RECEIVE)):
        (hooks / name).write_text(text, encoding="utf-8")
        (hooks / name).chmod(0o755)
    patterns = sorted(project.protected)
    (spool / "protected").write_text("".join(f"{pattern}\n" for pattern in patterns), encoding="utf-8")
    allowed = all(access.role(user, project) >= level for level in project.protected.values())
    return {
        "SANDBOX_SPOOL": str(spool),
        "SANDBOX_MAY_PUSH_PROTECTED": "yes" if allowed else "no",
        "SANDBOX_DEFAULT_BRANCH": project.repository.default_branch,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hooks),
    }


def after_push(world: World, project: Project, user: User, spool: Path) -> list[str]:
    """Let merge requests and issues follow a push that was accepted; returns the lines git shows after `remote:`."""
    updates = spool / "updates"
    if not updates.exists():
        return []
    lines: list[str] = []
    with project.lock:
        for update in updates.read_text(encoding="utf-8", errors="replace").splitlines():
            old, new, ref = update.split(" ", 2)
            if not ref.startswith("refs/heads/"):
                continue
            branch = ref.removeprefix("refs/heads/")
            before, after = (None if sha == ZERO else sha for sha in (old, new))
            activity.branch_moved(world, project, user, branch, before, after)
            if after and branch != project.repository.default_branch:
                lines += _advice(world, project, branch)
    return lines


def _advice(world: World, project: Project, branch: str) -> list[str]:
    existing = open_for(project, branch)
    if existing is not None:
        head, address = f"View merge request for {branch}:", merge_request_url(world, existing)
    else:
        head = f"To create a merge request for {branch}, visit:"
        query = f"merge_request%5Bsource_branch%5D={quote(branch, safe='')}"
        address = f"{web_url(world, project)}/-/merge_requests/new?{query}"
    return ["", head, f"  {address}", ""]
