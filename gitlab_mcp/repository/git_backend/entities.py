"""What git says, in the shape of GitLab's entities, as far as it is read here."""

from urllib.parse import quote

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry

# As GitLab has it: https://docs.gitlab.com/administration/diff_limits/ (here it can be read all the same).
LARGE_BYTES = 200 * 1024
# The best known of what GitLab calls generated: https://docs.gitlab.com/user/project/merge_requests/changes/
GENERATED = {
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "composer.lock", "Gemfile.lock"),
    *("Cargo.lock", "poetry.lock", "uv.lock", "Pipfile.lock", "go.sum", "flake.lock"),
}


def branch(web_url: str, name: str, tip: str) -> Entity:
    """A Branch as far as its name and its tip tell; `web_url` is the project's."""
    commit_ = {"id": tip, "short_id": tip[:8]}
    return Entity({"name": name, "commit": commit_, "web_url": f"{web_url}/-/tree/{quote(name)}"})


def commit(web_url: str, one: objects.Commit) -> Entity:
    """A Commit; `web_url` is the project's."""
    return Entity(
        {
            "id": one.id,
            "short_id": one.id[:8],
            "parent_ids": list(one.parents),
            "title": one.message.strip("\n").split("\n", 1)[0],
            "message": one.message,
            "author_name": one.author_name,
            "author_email": one.author_email,
            "authored_date": one.authored_at,
            "committer_name": one.committer_name,
            "committer_email": one.committer_email,
            "committed_date": one.committed_at,
            "web_url": f"{web_url}/-/commit/{one.id}",
        }
    )


def tree_object(entry: TreeEntry) -> Entity:
    """A TreeObject."""
    kind = {FOLDER: "tree", SUBMODULE: "commit"}.get(entry.mode, "blob")
    name = entry.path.rsplit("/", 1)[-1]
    return Entity({"id": entry.id, "name": name, "type": kind, "path": entry.path, "mode": entry.mode})


def diff(one: objects.FileDiff, hunks: str) -> Entity:
    """A Diff."""
    return Entity(
        {
            "old_path": one.old_path,
            "new_path": one.new_path,
            "a_mode": one.old_mode.lstrip("0") or "0",
            "b_mode": one.new_mode.lstrip("0") or "0",
            "new_file": one.status == "A",
            "renamed_file": one.status == "R",
            "deleted_file": one.status == "D",
            "diff": hunks,
            "too_large": len(hunks.encode("utf-8", "replace")) > LARGE_BYTES,
            "generated_file": one.new_path.rpartition("/")[2] in GENERATED,
        }
    )
