"""A repository over git, with a job token: everything is read from objects, and written by pushes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

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
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.repository.branches import deletable
from gitlab_mcp.repository.git_backend import entities
from gitlab_mcp.repository.git_backend.client import GitClient
from gitlab_mcp.repository.git_backend.merge_requests import MergeRequestPushes
from gitlab_mcp.repository.git_backend.pushes import Pushes
from gitlab_mcp.repository.git_backend.search import search
from gitlab_mcp.repository.interface import BlamedLines, Committed, Comparison, File, NewCommit, Opened
from gitlab_mcp.repository.paths import folders_above, matcher

LARGEST_FILE_BYTES = 9_000_000  # what GitLab's own answer for a file could hold in ours
ORDER = {FOLDER: 0, SUBMODULE: 2}  # folders, files, submodules: as GitLab lists them


class GitBackend:
    """The Repository of a project over git. `own` is the repository of ours that git works in."""

    pipelines = "No pipeline starts for a push with CI_JOB_TOKEN."

    def __init__(self, project: Project, own: ScratchRepository) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._own = own
        self._git = GitClient(project, own)
        self._pushes = Pushes(project, self._git)
        self._merge_requests = MergeRequestPushes(project, self._git, self._pushes)

    def close(self) -> None:
        """Remove what is on the disk."""
        self._own.close()

    # Branches

    @property
    def default_branch(self) -> str:
        return self._git.default_branch

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
        # What is protected only REST tells, in the list of branches; its commit is what the push insists on.
        listed = self.branches(name, 1, 100).rows
        there = deletable(next((each for each in listed if each.text("name") == name), None), name)
        return WriteResult(there, self._pushes.delete(name, there.sha("commit", "id")).confirmed)

    # Commits

    def commit(self, ref: str) -> Entity:
        return self._commit(self._git.resolve(ref))

    def _commit(self, identity: str) -> Entity:
        """The commit of an id that is here."""
        return self._shown(self._git.local(lambda time_left: objects.commit_of(self._own, identity, time_left)))

    def _shown(self, one: objects.Commit) -> Entity:
        return entities.commit(self._project.web_url, one)

    def history(self, ref: str, path: str, page: int, per_page: int) -> Page:
        tip, skip = self._git.resolve(ref), (page - 1) * per_page
        found = self._git.ask(
            "fetch the history", lambda time_left: history.newest(self._own, tip, path, skip, per_page + 1, time_left)
        )
        rows = [self._shown(one) for one in found[:per_page]]
        return Page(rows, page, page + 1 if len(found) > per_page else None, None, None, time.time())

    def compare(self, base: str, head: str, globs: Sequence[str] = ()) -> Comparison:
        old, new, matches = self._git.resolve(base), self._git.resolve(head), matcher(globs)
        parted = self._git.ask("fetch the history", lambda left: history.merge_base(self._own, old, new, left))
        between = self._git.local(lambda time_left: history.between(self._own, old, new, time_left))
        commits = [self._shown(one) for one in between]
        if not parted:
            return Comparison(commits, [], 0)
        return Comparison(commits, *self._diffs(parted, new, matches))

    def commit_and_diffs(self, ref: str) -> tuple[Entity, Sequence[Entity]]:
        tip = self._git.resolve(ref)
        # Without its parents, a commit looks like the first one.
        self._git.ask("fetch the commit", lambda time_left: self._own.fetch([tip], time_left, 2))
        one = self._git.local(lambda time_left: objects.commit_of(self._own, tip, time_left))
        parent = one.parents[0] if one.parents else objects.empty_tree(len(tip))
        return self._shown(one), self._diffs(parent, tip, matcher(()))[0]

    def _diffs(self, old: str, new: str, matches: Callable[..., bool]) -> tuple[list[Entity], int]:
        """A Diff of each chosen file that differs between two commits that are here, and how many files differ."""
        plain = self._git.local(lambda time_left: objects.diff_trees(self._own, old, new, time_left))
        # Whether something was renamed is seen by its content, where something is gone and something new.
        kinds = {one.status for one in plain}
        read = [one for one in plain if matches(one.new_path) or (one.status in "AD" and {"A", "D"} <= kinds)]
        self._git.ask("fetch the files that differ", lambda time_left: history.fetch_files(self._own, read, time_left))
        found = self._git.local(lambda time_left: objects.diff_trees(self._own, old, new, time_left, renames=True))
        chosen = [one for one in found if matches(one.old_path, one.new_path)]
        hunks = self._git.local(lambda time_left: patches(self._own, chosen, time_left))
        return list(map(entities.diff, chosen, hunks)), len(found)

    def search(self, words: str, ref: str, page: int, per_page: int) -> Page:
        return search(self._git, words, ref, page, per_page)

    def blame(self, path: str, ref: str, first: int, last: int) -> list[BlamedLines]:
        tip = self._git.resolve(ref)
        self._entry(path, tip, ref)
        found = self._git.ask(
            "fetch the history", lambda time_left: history.blame(self._own, tip, path, first, last, time_left)
        )
        return [BlamedLines(self._shown(one.commit), one.first, one.lines) for one in found]

    # Files

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        tip = self._git.resolve(ref)
        if path and self._entry(path, tip, ref, folders=True).mode != FOLDER:
            raise NotFound(f"{path} is no folder at {ref}.", status=404)
        if recursive:
            entries = self._git.local(lambda time_left: objects.list_all(self._own, tip, time_left, path, folders=True))
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
        return {entry.path: entry for entry in self._git.local(lambda left: objects.list_all(self._own, tip, left))}

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        try:
            tip = self._git.resolve(ref)
        except NotFound:
            return {}
        folders = sorted({folder for path in paths for folder in folders_above(path)})
        # The root cannot be named beside other folders.
        listed = self._listed(tip)
        if below := [f"{folder}/" for folder in folders if folder]:
            listed += self._listed(tip, *below)
        return {entry.path: entry for entry in listed}

    def file(self, path: str, ref: str) -> File:
        tip = self._git.resolve(ref)
        entry = self._entry(path, tip, ref)
        self._git.ask("fetch the file", lambda time_left: self._own.fetch_blobs([entry.id], time_left))
        size = self._git.local(lambda time_left: objects.size(self._own, entry.id, time_left))
        if size > LARGEST_FILE_BYTES:
            raise Refused(f"{path} has {size:,} bytes, and {LARGEST_FILE_BYTES:,} can be read here.")
        content = self._git.local(lambda time_left: objects.blobs(self._own, [entry.id], time_left))[entry.id]
        changed = self._git.local(lambda time_left: history.last_change(self._own, tip, path, time_left))
        return File(path, content, size, entry.mode == objects.EXECUTABLE, changed)

    def _entry(self, path: str, tip: str, ref: str, *, folders: bool = False) -> TreeEntry:
        """What is at a path: a file or link, or a folder too. Raises NotFound."""
        entry = next((entry for entry in self._listed(tip, path) if entry.path == path), None)
        if entry is None or entry.mode == SUBMODULE or (entry.mode == FOLDER and not folders):
            raise NotFound(f"There is no such file at {ref}.", status=404, reason="404 File Not Found")
        return entry

    def _listed(self, tip: str, *paths: str) -> list[TreeEntry]:
        return self._git.local(lambda time_left: objects.list_tree(self._own, tip, paths, time_left))

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
        own, into = tips[names[0]], tips[names[1]]
        if self._git.ask("fetch the history", lambda time_left: history.is_in(self._own, own, into, time_left)):
            raise Refused(f"{source} has no commits that {target} lacks.")
        return self._merge_requests.open(source, target, own, wanted)

    def update_merge_request(self, target: Noteable, update: Update) -> Opened:
        return self._merge_requests.update(target, update)
