"""Merges, cherry-picks and rebases without a worktree, as a bare repository has none."""

from __future__ import annotations

from datetime import datetime

from gitlab_mcp.sandbox.git.repository import Repository


class Conflict(Exception):
    """A merge conflicts, or a cherry-pick would be empty."""

    empty = False


class Empty(Conflict):
    """A cherry-pick would leave nothing to commit."""

    empty = True


def merge_tree(repository: Repository, ours: str, theirs: str) -> str:
    """The tree that results from merging two commits; raises Conflict."""
    status, output, stderr = repository.git.run(
        repository.path, "merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories", ours, theirs
    )
    if status:
        raise Conflict(stderr.strip() or output.decode("utf-8", "replace"))
    return output.decode().split("\n", 1)[0].strip()


def identity(name: str, email: str, when: datetime, role: str) -> dict[str, str]:
    """The environment variables that set git's author or committer; `role` is AUTHOR or COMMITTER."""
    # git removes these characters from names, and refuses a name that is empty without them.
    name = "".join(letter for letter in name if letter not in "<>\n\x00").strip() or "unknown"
    email = "".join(letter for letter in email if letter not in "<>\n\x00").strip()
    date = f"{int(when.timestamp())} +0000"
    return {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email, f"GIT_{role}_DATE": date}


def write_commit(
    repository: Repository, tree: str, parents: list[str], message: str, environment: dict[str, str]
) -> str:
    """Write a commit object and return its sha; no ref is changed."""
    arguments = [argument for parent in parents for argument in ("-p", parent)]
    output = repository.git.output(
        repository.path, "commit-tree", tree, *arguments, "-F", "-", stdin=message.encode(), environment=environment
    )
    return output.decode().strip()


def tree_of(repository: Repository, commit: str) -> str:
    """The tree of a commit."""
    return repository.run("rev-parse", f"{commit}^{{tree}}").strip()


def pick(
    repository: Repository,
    onto: str,
    commit: str,
    committer: dict[str, str],
    *,
    message: str = "",
    revert: bool = False,
    keep_empty: bool = False,
) -> str:
    """Cherry-pick a commit (or revert it) onto another and return the new commit.

    Raises Conflict, also if the new commit would be empty and `keep_empty` is not set.
    """
    source = repository.commit(commit)
    parent = source.parents[0] if source.parents else None
    before, after = (commit, parent) if revert else (parent, commit)
    if before is None or after is None:
        raise Conflict("a first commit cannot be applied elsewhere")
    # merge-tree computes the merge base from history; these temporary commits have `before` as their only ancestor.
    ours = write_commit(repository, tree_of(repository, onto), [before], "ours", {**committer, **_as_author(committer)})
    theirs = after
    if revert:
        theirs = write_commit(
            repository, tree_of(repository, after), [before], "theirs", {**committer, **_as_author(committer)}
        )
    tree = merge_tree(repository, ours, theirs)
    if not keep_empty and tree == tree_of(repository, onto):
        raise Empty("nothing is left of the commit: its changes are there already")
    author = {
        "GIT_AUTHOR_NAME": source.author_name or "unknown",
        "GIT_AUTHOR_EMAIL": source.author_email,
        "GIT_AUTHOR_DATE": source.authored_at,
    }
    author = _as_author(committer) if revert else author
    return write_commit(repository, tree, [onto], message or source.message, {**committer, **author})


def rebase(repository: Repository, onto: str, base: str, head: str, committer: dict[str, str]) -> str:
    """Cherry-pick the commits base..head in order onto `onto` and return the last new commit; raises Conflict."""
    shas = repository.run("rev-list", "--reverse", "--no-merges", "--topo-order", f"{base}..{head}").split()
    tip = onto
    for sha in shas:
        tip = pick(repository, tip, sha, committer, keep_empty=True)
    return tip


def _as_author(committer: dict[str, str]) -> dict[str, str]:
    return {name.replace("COMMITTER", "AUTHOR"): value for name, value in committer.items()}
