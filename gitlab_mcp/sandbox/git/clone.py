"""Copying a local repository, which is only read."""

from __future__ import annotations

import os
from pathlib import Path

from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.http.errors import SandboxError

_HEAD = "refs/sandbox/head"


class _Source:
    """The source repository: a worktree, a linked worktree or a bare repository, whoever owns it."""

    def __init__(self, target: Repository, path: Path) -> None:
        self.git = target.git
        self.path = path
        # git refuses repositories of other owners unless a configuration file lists them as safe.
        trust = target.path.parent / f"{target.path.name}.trust"
        trust.write_text("[safe]\n\tdirectory = *\n\tbareRepository = all\n", encoding="utf-8")
        # Without a ceiling, git would take a plain directory inside another repository for that repository.
        self.environment = {"GIT_CONFIG_GLOBAL": str(trust), "GIT_CEILING_DIRECTORIES": str(path.parent)}

    def ask(self, *arguments: str) -> str | None:
        """The output of a git command in the source repository, or None if the command fails."""
        status, output, _ = self.git.run(
            None, "-C", str(self.path), *arguments, environment={**self.environment, "GIT_OPTIONAL_LOCKS": "0"}
        )
        return output.decode("utf-8", "surrogateescape").strip() if status == 0 else None


def copy(target: Repository, path: Path) -> None:
    """Make `target` a copy of the repository at a path: its branches, its tags and its default branch.

    Raises SandboxError if there is no git repository at the path or git cannot read it.
    """
    if not path.is_dir():
        raise SandboxError(f"{path} is not a directory: --repo takes a git repository.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise SandboxError(f"{path} cannot be read: --repo takes a git repository that you may read.")
    target.path.parent.mkdir(parents=True, exist_ok=True)
    source = _Source(target, path)
    if source.ask("rev-parse", "--git-dir") is None:
        raise SandboxError(f"{path} is not a git repository: --repo takes the folder of one.")
    target.create()
    heads = (source.ask("for-each-ref", "--format=%(refname:strip=2)", "refs/heads/") or "").splitlines()
    has_commit = source.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") is not None
    if heads or has_commit:
        _fetch(target, source, has_commit)
    _set_head(target, source, heads, has_commit)


def _fetch(target: Repository, source: _Source, has_commit: bool) -> None:
    wanted = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    wanted += [f"+HEAD:{_HEAD}"] if has_commit else []
    # A fetch shares no objects with the source; --update-shallow also accepts a shallow source.
    status, _, stderr = target.git.run(
        target.path, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-shallow",
        str(source.path), *wanted, environment=source.environment,
    )  # fmt: skip
    if status:
        reason = stderr.strip().splitlines()[-1] if stderr.strip() else f"git ended with {status}"
        raise SandboxError(f"{source.path} could not be copied: {reason}")


def _set_head(target: Repository, source: _Source, heads: list[str], has_commit: bool) -> None:
    head = source.ask("symbolic-ref", "--quiet", "HEAD")
    current = head.removeprefix("refs/heads/") if head else None
    if heads or not has_commit:
        default = current if current and (current in heads or not heads) else _likely(source, heads)
        target.set_default_branch(default)
    else:
        # A checkout as CI jobs create it: a detached HEAD without local branches.
        default = _remote_default(source) or "main"
        target.set_default_branch(default)
        target.run("update-ref", f"refs/heads/{default}", _HEAD)
    if has_commit:
        target.run("update-ref", "-d", _HEAD)


def _likely(source: _Source, heads: list[str]) -> str:
    candidates = [_remote_default(source) or "", "main", "master", *heads]
    return next((name for name in candidates if name in heads), "main")


def _remote_default(source: _Source) -> str | None:
    head = source.ask("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    if head:
        return head.removeprefix("refs/remotes/origin/")
    names = (source.ask("for-each-ref", "--format=%(refname:strip=3)", "refs/remotes/") or "").splitlines()
    names = [name for name in dict.fromkeys(names) if name != "HEAD"]
    return names[0] if len(names) == 1 else None
