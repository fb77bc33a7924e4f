"""The git backend: reads from fetched git objects and writes by pushes, with a job token."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merge_requests import NewMergeRequest, Update
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused
from gitlab_mcp.git import history, objects
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.hunks import patches
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.repository.branches import deletable
from gitlab_mcp.repository.git_backend import entities
from gitlab_mcp.repository.git_backend.client import GitClient
from gitlab_mcp.repository.git_backend.merge_requests import MergeRequestPushes
from gitlab_mcp.repository.git_backend.pushes import Pushes
from gitlab_mcp.repository.git_backend.search import search
from gitlab_mcp.repository.interface import BlamedLines, Committed, Comparison, File, NewCommit, Opened
from gitlab_mcp.repository.paths import folders_above, matcher

T = TypeVar("T")

LARGEST_FILE_BYTES = 9_000_000  # about the largest file that the REST backend can read, whose responses are limited
ORDER = {FOLDER: 0, SUBMODULE: 2}  # folders, files, submodules: the order in which GitLab lists them


class GitBackend:
    """The Repository of a project over git, which works in a scratch repository."""

    pipelines = "No pipeline starts for a push with CI_JOB_TOKEN."

    def __init__(self, project: Project) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._git = GitClient(project)
        self._pushes = Pushes(project, self._git)
        self._merge_requests = MergeRequestPushes(project, self._git, self._pushes)

    def close(self) -> None:
        """Delete the scratch repository from disk."""
        self._git.scratch.close()

    # Branches

    @property
    def default_branch(self) -> str:
        return self._git.default_branch

    def at_default_branch(self, read: Callable[[str], T]) -> tuple[str, T]:
        return self.default_branch, read(self.default_branch)

    def is_empty(self) -> bool:
        return not self._git.refs("refs/heads/*")

    def branches(self, search: str, page: int, per_page: int) -> Page:
        path = f"{self._project.path}/repository/branches"
        return self._gitlab.page(path, page, per_page, search=search)

    def branch(self, name: str) -> Entity:
        if not (tip := self._git.tip(name)):
            raise NotFound(f"GitLab has no branch {name}.", status=404, reason="404 Branch Not Found")
        return entities.branch(self._project.web_url, name, tip)

    def create_branch(self, name: str, ref: str) -> WriteResult[Entity]:
        try:
            start = self._git.resolve(ref)
        except NotFound as missing:
            raise NotFound(f"Invalid reference name: {ref}. {missing}", status=404) from missing
        return self._pushes.create_branch(name, start)

    def delete_branch(self, name: str) -> WriteResult[Entity]:
        # Only REST tells whether a branch is protected. The push deletes it only while it points at the same commit.
        rows = self.branches(name, 1, 100).rows
        branch = deletable(next((row for row in rows if row.text("name") == name), None), name)
        return WriteResult(branch, self._pushes.delete(name, branch.sha("commit", "id")).confirmed)

    # Commits

    def commit(self, ref: str) -> Entity:
        return self._commit(self._git.resolve(ref))

    def _commit(self, identity: str) -> Entity:
        """The commit of an id that was fetched before."""
        return self._entity(self._git.local(objects.commit_of, identity))

    def _entity(self, commit: objects.Commit) -> Entity:
        return entities.commit(self._project.web_url, commit)

    def history(self, ref: str, path: str, page: int, per_page: int) -> Page:
        tip, skip = self._git.resolve(ref), (page - 1) * per_page
        commits = self._git.ask("fetch the history", history.newest, tip, path, skip, per_page + 1)
        rows = [self._entity(commit) for commit in commits[:per_page]]
        return Page(rows, page, page + 1 if len(commits) > per_page else None, None, None, time.time())

    def compare(self, base: str, head: str, globs: Sequence[str] = ()) -> Comparison:
        old, new = self._git.resolve(base), self._git.resolve(head)
        base_id = self._git.ask("fetch the history", history.merge_base, old, new)
        commits = [self._entity(commit) for commit in self._git.local(history.between, old, new)]
        if not base_id:
            return Comparison(commits, [], 0)
        return Comparison(commits, *self._diffs(base_id, new, globs))

    def commit_and_diffs(self, ref: str) -> tuple[Entity, Sequence[Entity]]:
        tip = self._git.resolve(ref)
        # Without its parents, a commit looks like the first commit of the repository.
        self._git.ask("fetch the commit", GitSession.fetch, [tip], 2)
        commit = self._git.local(objects.commit_of, tip)
        parent = commit.parents[0] if commit.parents else objects.empty_tree(len(tip))
        return self._entity(commit), self._diffs(parent, tip)[0]

    def _diffs(self, old: str, new: str, globs: Sequence[str] = ()) -> tuple[list[Entity], int]:
        """A Diff of each matching file that differs between two fetched commits, and how many files differ."""
        plain = self._git.local(objects.diff_trees, old, new)
        matches = matcher(globs, (diff.new_path for diff in plain), partial(self.entries, new))
        # Git detects a rename by comparing the content of added and deleted files, so all of these are needed.
        kinds = {diff.status for diff in plain}
        needed = [diff for diff in plain if matches(diff.new_path) or (diff.status in "AD" and {"A", "D"} <= kinds)]
        self._git.ask("fetch the files that differ", history.fetch_files, needed)
        diffs = self._git.local(objects.diff_trees, old, new, renames=True)
        selected = [diff for diff in diffs if matches(diff.old_path, diff.new_path)]
        return list(map(entities.diff, selected, self._git.local(patches, selected))), len(diffs)

    def search(self, words: str, ref: str, page: int, per_page: int) -> Page:
        return search(self._git, words, ref, page, per_page)

    def blame(self, path: str, ref: str, first: int, last: int) -> list[BlamedLines]:
        tip = self._git.resolve(ref)
        self._entry(path, tip, ref)
        ranges = self._git.ask("fetch the history", history.blame, tip, path, first, last)
        return [BlamedLines(self._entity(range_.commit), range_.first, range_.lines) for range_ in ranges]

    # Files

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        tip = self._git.resolve(ref)
        if path and self._entry(path, tip, ref, folders=True).mode != FOLDER:
            raise NotFound(f"{path} is not a folder at {ref}.", status=404)
        if recursive:
            entries = self._git.local(objects.list_all, tip, path, folders=True)
        else:
            below = f"{path}/" if path else ""
            entries = [entry for entry in self._listed(tip, below) if entry.path.startswith(below)]
        entries.sort(key=lambda entry: ORDER.get(entry.mode, 1))
        shown = entries[(page - 1) * per_page : page * per_page]
        pages = -(-len(entries) // per_page)
        following = page + 1 if page < pages else None
        return Page([entities.tree_object(entry) for entry in shown], page, following, len(entries), pages, time.time())

    def all_files(self, ref: str) -> dict[str, TreeEntry]:
        try:
            tip = self._git.resolve(ref)
        except NotFound:
            return {}
        return {entry.path: entry for entry in self._git.local(objects.list_all, tip)}

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        try:
            tip = self._git.resolve(ref)
        except NotFound:
            return {}
        folders = sorted({folder for path in paths for folder in folders_above(path)})
        # The root folder cannot be listed together with others.
        entries = self._listed(tip)
        if below := [f"{folder}/" for folder in folders if folder]:
            entries += self._listed(tip, *below)
        return {entry.path: entry for entry in entries}

    def file(self, path: str, ref: str) -> File:
        tip = self._git.resolve(ref)
        entry = self._entry(path, tip, ref)
        self._git.ask("fetch the file", GitSession.fetch_blobs, [entry.id])
        size = self._git.local(objects.size, entry.id)
        if size > LARGEST_FILE_BYTES:
            raise Refused(f"{path} has {size:,} bytes, and {LARGEST_FILE_BYTES:,} can be read here.")
        content = self._git.local(objects.blobs, [entry.id])[entry.id]
        changed = self._git.local(history.last_change, tip, path)
        return File(path, content, size, entry.mode == objects.EXECUTABLE, changed)

    def _entry(self, path: str, tip: str, ref: str, *, folders: bool = False) -> TreeEntry:
        """The entry at a path: a file or link, or with `folders` also a folder. Raises NotFound."""
        entry = next((entry for entry in self._listed(tip, path) if entry.path == path), None)
        if entry is None or entry.mode == SUBMODULE or (entry.mode == FOLDER and not folders):
            raise NotFound(f"There is no such file at {ref}.", status=404, reason="404 File Not Found")
        return entry

    def _listed(self, tip: str, *paths: str) -> list[TreeEntry]:
        return self._git.local(objects.list_tree, tip, paths)

    # Writes

    def pinned(self, changes: Sequence[Change], tip: str, tree: Mapping[str, TreeEntry]) -> list[Change]:  # noqa: ARG002
        for change in changes:
            path = change.previous_path or change.path
            if not change.last_commit_id or path not in tree:
                continue
            seen = self._git.resolve(change.last_commit_id)
            if tree[path] not in self._listed(seen, path):
                raise Conflict(f"{path} has changed since {change.last_commit_id[:12]}: read it again.")
        return list(changes)

    def create_commit(self, new: NewCommit) -> Committed:
        if new.merge_request is None:
            written, _ = self._pushes.commit(new, [])
            return Committed(self._written(written))
        written, opened, not_opened = self._merge_requests.commit(new, new.merge_request)
        return Committed(self._written(written), opened, not_opened)

    def _written(self, commit: WriteResult[str]) -> WriteResult[Entity]:
        return WriteResult(self._commit(commit.result), commit.confirmed)

    def open_merge_request(self, source: str, target: str, wanted: NewMergeRequest) -> Opened:
        if source == target:
            raise InvalidArgument(f"source_branch and target_branch are both {source}: commit to another branch first.")
        names = (f"refs/heads/{source}", f"refs/heads/{target}")
        tips = self._git.refs(*names)
        if missing := [name for name in names if name not in tips]:
            raise NotFound(f"GitLab has no branch {missing[0].removeprefix('refs/heads/')}.", status=404)
        source_tip, target_tip = tips[names[0]], tips[names[1]]
        if self._git.ask("fetch the history", history.is_in, source_tip, target_tip):
            raise Refused(f"{source} has no commits that {target} lacks.")
        return self._merge_requests.open(source, target, source_tip, wanted)

    def update_merge_request(self, target: Noteable, update: Update) -> Opened:
        return self._merge_requests.update(target, update)
