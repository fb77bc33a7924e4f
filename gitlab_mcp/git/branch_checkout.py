"""Checking out a branch of GitLab in a clone, whose files are then data: nothing that the branch contains is run.

No hook and no filter is run, and no submodule is fetched: the files are written by a temporary repository that has
none configured. Attributes of the branch choose only what git itself does, such as line endings.
"""

from pathlib import Path

from gitlab_mcp.git.process import common_directory, git, git_directory, on_disk
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.git.worktree_index import worktree_index

# The ref that keeps the fetched commits. One named like the branch could conflict with one of an earlier job.
FETCHED = "refs/gitlab-mcp/checkout"
FETCHED_COMMITS = 50  # how many commits of the branch are fetched into a shallow clone
FETCH_OPTIONS = ("-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--update-shallow")


def check_out(session: GitSession, root: Path, branch: str) -> str:
    """Fetch a branch into the clone at `root`, make its files those of the branch, and return the id of its commit.

    HEAD is detached, as in a job. Files that git does not track stay; changes of tracked files are lost.

    Raises RemoteError where the branch cannot be fetched, GitError where the files cannot be written.
    """
    with on_disk():
        directory = git_directory(root)
        depth = (f"--depth={FETCHED_COMMITS}",) if (common_directory(root) / "shallow").exists() else ()
        session.fetch_into(directory, f"+refs/heads/{branch}:{FETCHED}", *FETCH_OPTIONS, *depth)
        commit = git("rev-parse", "--verify", FETCHED, git_directory=directory).decode().strip()
        with worktree_index(root, len(commit)) as index:
            index.check_out(commit, directory / "index")
        git("update-ref", "--no-deref", "HEAD", commit, git_directory=directory)
    return commit
