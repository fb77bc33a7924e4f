"""The REST backend: a project's repository over GitLab's REST API, with an access token."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from gitlab_mcp.api import merge_requests
from gitlab_mcp.api.client import Page, run_here, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import not_taken
from gitlab_mcp.api.idempotency import WriteResult, look_with, write_once
from gitlab_mcp.api.merge_requests import CommittedTo, NewMergeRequest, Update
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import Failure, NotFound, naming
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import FOLDER, TreeEntry
from gitlab_mcp.repository.branches import deletable
from gitlab_mcp.repository.interface import BlamedLines, Committed, Comparison, File, NewCommit, Opened
from gitlab_mcp.repository.paths import folders_above, matcher

T = TypeVar("T")

# Up to this many folders are listed one by one; for more, listing the whole tree takes fewer requests.
FOLDERS_ONE_BY_ONE = 24

# The actions for which GitLab accepts last_commit_id, and for how many files of a commit it is looked up (a request
# for each).
PINNED = ("update", "delete", "move")
PINNED_FILES = 50


class RestBackend:
    """The Repository of a project over REST."""

    pipelines = "Pipelines start as for any push."

    def __init__(self, project: Project) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._path = f"{project.path}/repository"

    @property
    def default_branch(self) -> str:
        return self._project.default_branch

    def at_default_branch(self, read: Callable[[str], T]) -> tuple[str, T]:
        if self._gitlab.cached_project(self._project.name):
            return self.default_branch, read(self.default_branch)
        # HEAD is the default branch: https://docs.gitlab.com/api/repository_files/. So its name can be asked meanwhile.
        name, at_head = self._gitlab.start(lambda: self.default_branch), run_here(read, "HEAD")
        try:
            return name.result(), at_head.result()
        except Failure:
            return name.result(), read(name.result())  # whose failure names the branch

    def is_empty(self) -> bool:
        return self._project.entity.flag("empty_repo")

    def branches(self, search: str, page: int, per_page: int) -> Page:
        return self._gitlab.page(f"{self._path}/branches", page, per_page, search=search)

    def branch(self, name: str) -> Entity:
        return self._gitlab.get(f"{self._path}/branches/{segment(name)}")

    def create_branch(self, name: str, ref: str) -> WriteResult[Entity]:
        send = partial(self._gitlab.post, f"{self._path}/branches", {"branch": name, "ref": ref})
        return write_once(send, partial(self._branch_at, name, ref), look_with("list_branches"))

    def _branch_at(self, name: str, ref: str) -> Entity | None:
        branch = self._branch_or_none(name)
        return branch if branch and branch.text("commit", "id") == self.commit(ref).text("id") else None

    def delete_branch(self, name: str) -> WriteResult[Entity]:
        branch = deletable(self._branch_or_none(name), name)

        def send() -> Entity:
            self._gitlab.send("delete", f"{self._path}/branches/{segment(name)}")
            return branch

        return write_once(send, lambda: None if self._branch_or_none(name) else branch, look_with("list_branches"))

    def _branch_or_none(self, name: str) -> Entity | None:
        try:
            return self.branch(name)
        except NotFound:
            return None

    def commit(self, ref: str) -> Entity:
        return self._gitlab.get(f"{self._path}/commits/{segment(ref)}", stats="false")

    def _last_commit(self, ref: str, path: str) -> str:
        """The id of the newest commit in the history of `ref` that changed `path`; "" where none did."""
        page = self._gitlab.page(f"{self._path}/commits", 1, 1, ref_name=ref, path=path)
        return page.rows[0].text("id") if page.rows else ""

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        query = {"ref": ref, "path": path, "recursive": "true" if recursive else None}
        return self._gitlab.page(f"{self._path}/tree", page, per_page, **query)

    def all_files(self, ref: str) -> dict[str, TreeEntry]:
        try:
            rows = self._gitlab.every(f"{self._path}/tree", ref=ref, recursive="true")
        except NotFound:
            return {}
        return {entry.path: entry for entry in map(_tree_entry, rows) if entry.mode != FOLDER}

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        folders = sorted({folder for path in paths for folder in folders_above(path)})
        if len(folders) > FOLDERS_ONE_BY_ONE:
            everything = self.all_files(ref)
            above = {folder: TreeEntry(folder, FOLDER, "") for path in everything for folder in folders_above(path)}
            return {**above, **everything}
        listed = self._gitlab.together(partial(self._entries_of, ref, folder) for folder in folders)
        return {entry.path: entry for rows in listed for entry in map(_tree_entry, rows)}

    def _entries_of(self, ref: str, folder: str) -> list[Entity]:
        try:
            return self._gitlab.every(f"{self._path}/tree", ref=ref, path=folder)
        except NotFound:
            return []

    def file(self, path: str, ref: str) -> File:
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

    def history(self, ref: str, path: str, page: int, per_page: int) -> Page:
        return self._gitlab.page(f"{self._path}/commits", page, per_page, ref_name=ref, path=path)

    def compare(self, base: str, head: str, globs: Sequence[str] = ()) -> Comparison:
        comparison = self._gitlab.get(f"{self._path}/compare", **{"from": base, "to": head})
        commits, diffs = comparison.entities("commits"), comparison.entities("diffs")
        # GitLab collapses large files in a comparison, but not in the diff of a commit (lib/api/commits.rb).
        is_one_commit = len(commits) == 1 and len(commits[0].texts("parent_ids")) == 1
        if is_one_commit and any(diff.flag("collapsed") for diff in diffs):
            diffs = self._gitlab.every(f"{self._path}/commits/{commits[0].sha('id')}/diff")
        changed = {path for diff in diffs for path in (diff.text("old_path"), diff.text("new_path"))}
        matches = matcher(globs, changed, partial(self.entries, head))
        selected = [diff for diff in diffs if matches(diff.text("old_path"), diff.text("new_path"))]
        # compare_timeout is set when GitLab's limits on the size of a diff were reached.
        return Comparison(commits, selected, len(diffs), not comparison.flag("compare_timeout"))

    def commit_and_diffs(self, ref: str) -> tuple[Entity, Sequence[Entity]]:
        commit = self._gitlab.start(self.commit, ref)
        diffs = self._gitlab.start(self._gitlab.every, f"{self._path}/commits/{segment(ref)}/diff")
        return commit.result(), diffs.result()

    def search(self, words: str, ref: str, page: int, per_page: int) -> Page:
        matches = self._gitlab.page(
            f"{self._project.path}/search", page, per_page, scope="blobs", search=words, ref=ref
        )
        if not matches.rows and page == 1 and ref:
            self.commit(ref)  # for an unknown ref GitLab answers with no matches instead of 404
        return matches

    def blame(self, path: str, ref: str, first: int, last: int) -> list[BlamedLines]:
        limits = {"range[start]": first, "range[end]": last} if last else {}
        page = self._gitlab.page(f"{self._path}/files/{segment(path)}/blame", ref=ref, **limits)
        ranges, number = [], first if last else 1
        for row in page.rows:
            lines = row.texts("lines")
            ranges.append(BlamedLines(row.entity("commit"), number, lines))
            number += len(lines)
        return ranges

    def pinned(self, changes: Sequence[Change], tip: str, tree: Mapping[str, TreeEntry]) -> list[Change]:  # noqa: ARG002
        unknown = [change for change in changes if change.action in PINNED and not change.last_commit_id][:PINNED_FILES]
        paths = [change.previous_path or change.path for change in unknown]
        newest = self._gitlab.together(partial(self._last_commit, tip, path) for path in paths)
        commits = {change.path: commit for change, commit in zip(unknown, newest, strict=True)}
        return [replace(change, last_commit_id=commits.get(change.path) or change.last_commit_id) for change in changes]

    def create_commit(self, new: NewCommit) -> Committed:
        """https://docs.gitlab.com/api/commits/#create-a-commit-with-multiple-files-and-actions"""
        actions = [action for change in new.changes for action in _actions(change)]
        body: dict[str, object] = {"branch": new.branch, "commit_message": new.message, "actions": actions}
        body["stats"] = True
        if author := self._gitlab.settings.author:
            body |= {"author_name": author.name, "author_email": author.email}
        if new.is_new:
            body["start_sha"] = new.parent
        send = partial(self._gitlab.post, f"{self._path}/commits", body)
        check = f"Look{naming(' with {}', 'list_branches')} whether {new.branch} has it before committing again."
        made = write_once(send, partial(self._commit_like, new), check)
        if new.merge_request is None:
            return Committed(made)
        try:
            kind: CommittedTo = "new" if new.is_new else "old"
            return Committed(made, self._open(new.branch, new.target, new.merge_request, kind))
        except Failure as failure:
            return Committed(
                made, not_opened=f"{failure} Do not commit again{naming('; {} opens it', 'create_merge_request')}."
            )

    def open_merge_request(self, source: str, target: str, wanted: NewMergeRequest) -> Opened:
        return self._open(source, target, wanted)

    def _open(self, source: str, target: str, wanted: NewMergeRequest, committed_to: CommittedTo = "") -> Opened:
        written, is_new = merge_requests.open_merge_request(self._project, source, target, wanted, committed_to)
        asked = merge_requests.asked_of_new(self._gitlab, target, wanted)
        return Opened(written, is_new, not_taken=not_taken(asked, written.result))

    def update_merge_request(self, target: Noteable, update: Update) -> Opened:
        updated = merge_requests.update_merge_request(target, update)
        return Opened(updated.merge_request, is_new=False, not_taken=updated.not_taken, cleared=updated.cleared)

    def _commit_like(self, new: NewCommit) -> Entity | None:
        """A commit on the branch with the parent, message, author and files of `new`, None where there is none."""
        try:
            span = f"{new.parent}..{new.branch}" if new.parent else new.branch
            commits = self._gitlab.page(f"{self._path}/commits", 1, 50, ref_name=span).rows
        except NotFound:
            return None
        wanted = {path for change in new.changes for path in change.paths}
        author = self._gitlab.settings.author
        for commit in commits:
            same = commit.texts("parent_ids") == ([new.parent] if new.parent else [])
            same = same and commit.text("message").strip() == self._gitlab.outgoing(new.message).strip()
            name = author.name if author else self._gitlab.user.text("name")
            if same and commit.text("author_name") == name:
                diffs = self._gitlab.every(f"{self._path}/commits/{commit.text('id')}/diff")
                if {path for diff in diffs for path in (diff.text("old_path"), diff.text("new_path"))} == wanted:
                    return commit
        return None


def _tree_entry(entity: Entity) -> TreeEntry:
    return TreeEntry(entity.text("path"), entity.text("mode").rjust(6, "0"), entity.text("id"))


def _actions(change: Change) -> list[dict[str, object]]:
    """GitLab's actions for a change: two where the content or path and the executable bit change."""
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
