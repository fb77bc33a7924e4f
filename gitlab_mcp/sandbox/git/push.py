"""Pushes: the hooks that protect branches, and what follows a push that was accepted."""

from __future__ import annotations

import textwrap
from pathlib import Path
from urllib.parse import quote

from gitlab_mcp.sandbox.entities.merge_requests import merge_request_url
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.webhook_bodies import deliveries_of
from gitlab_mcp.sandbox.git import push_options
from gitlab_mcp.sandbox.git.repository import ZERO
from gitlab_mcp.sandbox.state import activity, events, permissions
from gitlab_mcp.sandbox.state.merge_requests import open_for
from gitlab_mcp.sandbox.state.model import Project, Token
from gitlab_mcp.sandbox.state.pipelines import tag_pushed
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.webhooks import Delivery
from gitlab_mcp.sandbox.state.world import World

# git runs these hooks with the spool directory in the environment. As in GitLab, one refused ref rejects the push.
# The checks are those of Gitlab::Checks::BranchCheck and TagCheck; other refs, such as refs/notes, have none.
_PRE_RECEIVE = """#!/bin/sh
zero=0000000000000000000000000000000000000000
refuse() { echo "GitLab: $1" >&2; exit 1; }
matches() { printf '%s\\n' "$1" | grep -Eq "$2"; }
while read -r old new ref; do
  case "$ref" in
    refs/heads/*) branch=${ref#refs/heads/} ;;
    refs/tags/*)
      tag=${ref#refs/tags/}
      [ "$new" = $zero ] && continue
      if [ "$old" = $zero ] && [ "$tag" = "$SANDBOX_DEFAULT_BRANCH" ]; then
        refuse "You cannot use default branch name to create a tag"
      fi
      matches "$tag" '^[0-9a-fA-F]{40}' && refuse "You cannot create a tag with a SHA-1 or SHA-256 tag name."
      continue ;;
    *) continue ;;
  esac
  if [ "$new" = $zero ] && [ "$branch" = "$SANDBOX_DEFAULT_BRANCH" ]; then
    refuse "The default branch of a project cannot be deleted."
  fi
  if [ "$new" != $zero ] && matches "$branch" '^[0-9a-fA-F]{40}(-/|/|$)'; then
    refuse "You cannot create a branch with a 40-character hexadecimal branch name."
  fi
  while read -r pattern; do
    case "$branch" in
      $pattern)
        if [ "$new" = $zero ]; then
          refuse "You can only delete protected branches using the web interface."
        fi
        if [ "$old" != $zero ] && ! git merge-base --is-ancestor "$old" "$new"; then
          refuse "You are not allowed to force push code to a protected branch on this project."
        fi
        if [ "$SANDBOX_MAY_PUSH_PROTECTED" != yes ]; then
          refuse "You are not allowed to push code to protected branches on this project."
        fi ;;
    esac
  done < "$SANDBOX_SPOOL/protected"
done
"""
# The options are written first, because after_push looks for `updates`. No option value is evaluated as shell code.
_POST_RECEIVE = r"""#!/bin/sh
number=0
while [ "$number" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
  eval "printf '%s\000' \"\$GIT_PUSH_OPTION_$number\""
  number=$((number + 1))
done > "$SANDBOX_SPOOL/options"
cat > "$SANDBOX_SPOOL/updates"
"""


def write_hooks(project: Project, user: User | None, spool: Path) -> dict[str, str]:
    """Write the hooks and the protected branches of one push; returns the environment that makes git run the hooks."""
    hooks = spool / "hooks"
    hooks.mkdir()
    for name, text in (("pre-receive", _PRE_RECEIVE), ("post-receive", _POST_RECEIVE)):
        (hooks / name).write_text(text, encoding="utf-8")
        (hooks / name).chmod(0o755)
    patterns = sorted(project.protected)
    (spool / "protected").write_text("".join(f"{pattern}\n" for pattern in patterns), encoding="utf-8")
    allowed = all(permissions.role(user, project) >= level for level in project.protected.values())
    return {
        "SANDBOX_SPOOL": str(spool),
        "SANDBOX_MAY_PUSH_PROTECTED": "yes" if allowed else "no",
        "SANDBOX_DEFAULT_BRANCH": project.repository.default_branch,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hooks),
    }


def after_push(world: World, project: Project, token: Token, spool: Path) -> tuple[list[str], list[Delivery]]:
    """Update pipelines, merge requests and issues after an accepted push, and apply its push options.

    Returns the lines that git prints after `remote:`, and the webhooks that are to be sent. In GitLab's
    Ci::Pipeline::Chain a push with a job token creates no pipeline (Validate::Abilities), and a push with ci.skip
    creates a skipped one (Skip).
    """
    updates = spool / "updates"
    if not updates.exists():
        return [], []
    given_options = [option.decode("utf-8", "replace") for option in (spool / "options").read_bytes().split(b"\0")[:-1]]
    options = push_options.read(given_options)
    pipeline = "" if token.job else "skipped" if push_options.CI_SKIP in options else "created"
    pushed: dict[str, str] = {}
    with project.lock, events.collect() as collected:
        for update in updates.read_text(encoding="utf-8", errors="replace").splitlines():
            old, new, ref = update.split(" ", 2)
            before, after = (None if sha == ZERO else sha for sha in (old, new))
            if ref.startswith("refs/tags/") and after and pipeline:
                tag_pushed(world, project, token.user, ref.removeprefix("refs/tags/"), pipeline)
            if not ref.startswith("refs/heads/"):
                continue
            branch = ref.removeprefix("refs/heads/")
            activity.branch_moved(world, project, token.user, branch, before, after, pipeline=pipeline)
            if after and branch != project.repository.default_branch:
                pushed[branch] = after
        errors = push_options.apply(world, project, token.user, options, pushed)
        lines = _warnings(given_options, errors) if errors else []
        for branch in pushed:
            lines += _advice(world, project, branch)
        return lines, deliveries_of(world, collected)


def _warnings(given: list[str], errors: list[str]) -> list[str]:
    options = " ".join(f"'{option}'" for option in given)
    text = " ".join(f"WARNINGS: Error encountered with push options {options}: {' '.join(errors)}".split())
    # Gitaly, hook/postreceive.go: the text is wrapped at 68 columns and centered between two rules of 72.
    rule = "=" * 72
    return [
        "",
        rule,
        "",
        *(line.center(72).rstrip() for line in textwrap.wrap(text, 68, break_long_words=False, break_on_hyphens=False)),
        "",
        rule,
        "",
    ]


def _advice(world: World, project: Project, branch: str) -> list[str]:
    existing = open_for(project, branch)
    if existing is not None:
        head, address = f"View merge request for {branch}:", merge_request_url(world, existing)
    else:
        head = f"To create a merge request for {branch}, visit:"
        query = f"merge_request%5Bsource_branch%5D={quote(branch, safe='')}"
        address = f"{web_url(world, project)}/-/merge_requests/new?{query}"
    return ["", head, f"  {address}", ""]
