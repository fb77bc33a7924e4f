"""Git's objects as GitLab's entities, with the fields that this server reads."""

from urllib.parse import quote

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry

# The size from which GitLab marks a diff as too large: https://docs.gitlab.com/administration/diff_limits/
# Over git its hunks can be read all the same.
LARGE_BYTES = 200 * 1024
# The best known files that GitLab treats as generated: https://docs.gitlab.com/user/project/merge_requests/changes/
GENERATED = {
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "composer.lock", "Gemfile.lock"),
    *("Cargo.lock", "poetry.lock", "uv.lock", "Pipfile.lock", "go.sum", "flake.lock"),
}


def branch(web_url: str, name: str, tip: str) -> Entity:
    """A Branch, with the fields that follow from its name and its tip; `web_url` is the project's."""
    commit_ = {"id": tip, "short_id": tip[:8]}
    return Entity({"name": name, "commit": commit_, "web_url": f"{web_url}/-/tree/{quote(name)}"})


def commit(web_url: str, git_commit: objects.Commit) -> Entity:
    """A Commit; `web_url` is the project's."""
    return Entity(
        {
            "id": git_commit.id,
            "short_id": git_commit.id[:8],
            "parent_ids": list(git_commit.parents),
            "title": git_commit.message.strip("\n").split("\n", 1)[0],
            "message": git_commit.message,
            "author_name": git_commit.author_name,
            "author_email": git_commit.author_email,
            "authored_date": git_commit.authored_at,
            "committer_name": git_commit.committer_name,
            "committer_email": git_commit.committer_email,
            "committed_date": git_commit.committed_at,
            "web_url": f"{web_url}/-/commit/{git_commit.id}",
        }
    )


def tree_object(entry: TreeEntry) -> Entity:
    """A TreeObject: an entry of a folder."""
    kind = {FOLDER: "tree", SUBMODULE: "commit"}.get(entry.mode, "blob")
    name = entry.path.rsplit("/", 1)[-1]
    return Entity({"id": entry.id, "name": name, "type": kind, "path": entry.path, "mode": entry.mode})


def diff(file_diff: objects.FileDiff, hunks: str) -> Entity:
    """A Diff of one file, with its hunks."""
    return Entity(
        {
            "old_path": file_diff.old_path,
            "new_path": file_diff.new_path,
            "a_mode": file_diff.old_mode.lstrip("0") or "0",
            "b_mode": file_diff.new_mode.lstrip("0") or "0",
            "new_file": file_diff.status == "A",
            "renamed_file": file_diff.status == "R",
            "deleted_file": file_diff.status == "D",
            "diff": hunks,
            "too_large": len(hunks.encode("utf-8", "replace")) > LARGE_BYTES,
            "generated_file": file_diff.new_path.rpartition("/")[2] in GENERATED,
        }
    )
