"""A repository over GitLab's REST API."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gitlab_mcp.api.client import GitLab, Page, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.writes import Written, write_once
from gitlab_mcp.errors import NotFound

LINK, SUBMODULE, FOLDER, EXECUTABLE = "120000", "160000", "040000", "100755"

# So many folders are listed one by one; for more, the whole tree costs fewer requests.
FOLDERS_ONE_BY_ONE = 24


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree: its mode as git writes it, and the id of its blob, tree or commit."""

    path: str
    mode: str
    id: str


@dataclass(frozen=True)
class File:
    """A file at a ref; `size` in bytes."""

    path: str
    content: bytes
    size: int
    executable: bool
    last_commit_id: str


@dataclass(frozen=True)
class Change:
    """One change of a commit. `content` is None where the content stays as it is (move, chmod, delete)."""

    action: Literal["create", "update", "delete", "move", "chmod"]
    path: str
    content: bytes | None = field(default=None, repr=False)
    executable: bool | None = None
    previous_path: str = ""
    last_commit_id: str = ""
    from_disk: bool = False


class Repository:
    """Reads and writes of one project's repository. `path` is the project's: /projects/ID."""

    def __init__(self, gitlab: GitLab, path: str) -> None:
        self._gitlab = gitlab
        self._path = f"{path}/repository"

    def branches(self, search: str, page: int, per_page: int) -> Page:
        """A page of branches whose name contains `search`."""
        return self._gitlab.page(f"{self._path}/branches", page, per_page, search=search)

    def branch(self, name: str) -> Entity:
        """A branch. Raises NotFound."""
        return self._gitlab.get(f"{self._path}/branches/{segment(name)}")

    def create_branch(self, name: str, ref: str) -> Written[Entity]:
        """Create a branch at `ref`, once. Raises Conflict when there is one of that name."""
        send = partial(self._gitlab.post, f"{self._path}/branches", {"branch": name, "ref": ref})
        return write_once(send, partial(self._branch_at, name, ref), "Look with list_branches.")

    def _branch_at(self, name: str, ref: str) -> Entity | None:
        try:
            branch = self.branch(name)
        except NotFound:
            return None
        return branch if branch.text("commit", "id") == self.commit(ref).text("id") else None

    def commit(self, ref: str) -> Entity:
        """The commit that a branch, tag or id names. Raises NotFound."""
        return self._gitlab.get(f"{self._path}/commits/{segment(ref)}", stats="false")

    def last_commit(self, ref: str, path: str) -> str:
        """The id of the newest commit up to `ref` that changed `path`; "" where there is none."""
        page = self._gitlab.page(f"{self._path}/commits", 1, 1, ref_name=ref, path=path)
        return page.rows[0].text("id") if page.rows else ""

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        """A page of the entries of a folder. Raises NotFound for an unknown ref, or a folder that is not there."""
        query = {"ref": ref, "path": path, "recursive": "true" if recursive else None}
        return self._gitlab.page(f"{self._path}/tree", page, per_page, **query)

    def all_files(self, ref: str) -> dict[str, TreeEntry]:
        """Every file, link and submodule at `ref`, by path; {} for an empty repository."""
        try:
            rows = self._gitlab.every(f"{self._path}/tree", ref=ref, recursive="true")
        except NotFound:
            return {}
        return {entry.path: entry for entry in map(_tree_entry, rows) if entry.mode != FOLDER}

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """What is at `paths` and at every folder above them, by path; what is not there is left out."""
        folders = sorted({folder for path in paths for folder in _folders_above(path)})
        if len(folders) > FOLDERS_ONE_BY_ONE:
            everything = self.all_files(ref)
            above = {folder: TreeEntry(folder, FOLDER, "") for path in everything for folder in _folders_above(path)}
            return {**above, **everything}
        listed = self._gitlab.together(partial(self._entries_of, ref, folder) for folder in folders)
        return {entry.path: entry for rows in listed for entry in map(_tree_entry, rows)}

    def _entries_of(self, ref: str, folder: str) -> list[Entity]:
        try:
            return self._gitlab.every(f"{self._path}/tree", ref=ref, path=folder)
        except NotFound:
            return []

    def file(self, path: str, ref: str) -> File:
        """A file with its content. Raises NotFound."""
        entity = self._gitlab.get(f"{self._path}/files/{segment(path)}", ref=ref)
        try:
            content = base64.b64decode(entity.text("content"))
        except ValueError:  # binascii.Error is one
            content = b""
        return File(
            path=path,
            content=content,
            size=entity.number("size") or len(content),
            executable=entity.flag("execute_filemode"),
            last_commit_id=entity.sha("last_commit_id"),
        )

    def create_commit(
        self, branch: str, message: str, changes: Sequence[Change], parent: str, *, is_new: bool
    ) -> Written[Entity]:
        """Commit `changes` to `branch`, all at once and once; a new branch begins at the commit `parent`.

        `parent` is what the branch points at, "" in an empty repository.

        https://docs.gitlab.com/api/commits/#create-a-commit-with-multiple-files-and-actions
        """
        actions = [action for change in changes for action in _actions(change)]
        body: dict[str, object] = {"branch": branch, "commit_message": message, "actions": actions, "stats": True}
        if is_new:
            body["start_sha"] = parent
        send = partial(self._gitlab.post, f"{self._path}/commits", body)
        find = partial(self._commit_like, branch, message, changes, parent)
        return write_once(send, find, f"Look with list_branches whether {branch} has it before committing again.")

    def _commit_like(self, branch: str, message: str, changes: Sequence[Change], parent: str) -> Entity | None:
        """A commit of this user on `branch` with this parent, message and files."""
        try:
            span = f"{parent}..{branch}" if parent else branch
            commits = self._gitlab.page(f"{self._path}/commits", 1, 50, ref_name=span).rows
        except NotFound:
            return None
        wanted = {path for change in changes for path in (change.path, change.previous_path) if path}
        for commit in commits:
            same = commit.texts("parent_ids") == ([parent] if parent else [])
            same = same and commit.text("message").strip() == self._gitlab.outgoing(message).strip()
            if same and commit.text("author_name") == self._gitlab.user.text("name"):
                diffs = self._gitlab.every(f"{self._path}/commits/{commit.text('id')}/diff")
                if {path for diff in diffs for path in (diff.text("old_path"), diff.text("new_path"))} == wanted:
                    return commit
        return None


def _tree_entry(entity: Entity) -> TreeEntry:
    return TreeEntry(entity.text("path"), entity.text("mode").rjust(6, "0"), entity.text("id"))


def _folders_above(path: str) -> list[str]:
    """The folders whose listings show `path` and every part of it: "" is the root."""
    parts = path.split("/")[:-1]
    return ["", *("/".join(parts[: depth + 1]) for depth in range(len(parts)))]


def _actions(change: Change) -> list[dict[str, object]]:
    """GitLab's actions for a change: more than one where the executable bit changes beside something else."""
    first: dict[str, object] = {"action": change.action, "file_path": change.path}
    if change.content is not None:
        first |= {"content": base64.b64encode(change.content).decode(), "encoding": "base64"}
    if change.previous_path:
        first["previous_path"] = change.previous_path
    if change.last_commit_id:
        first["last_commit_id"] = change.last_commit_id
    if change.action == "chmod":
        return [{**first, "execute_filemode": bool(change.executable)}]
    if change.executable is None or change.action == "delete":
        return [first]
    return [first, {"action": "chmod", "file_path": change.path, "execute_filemode": change.executable}]
