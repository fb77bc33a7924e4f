"""What tools ask of a project's repository, whichever road leads to it.

`rest.py` is over GitLab's REST API, with an access token; `git.py` is over git, with a job token.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merge_requests import NewMergeRequest, Update
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import TreeEntry


@dataclass(frozen=True)
class File:
    """A file at a ref; `size` in bytes. `last_commit_id` is the newest that changed it, "" where that is not known."""

    path: str
    content: bytes
    size: int
    executable: bool
    last_commit_id: str


@dataclass(frozen=True)
class Comparison:
    """What `head` has that `base` lacks: commits, oldest first, and GitLab's Diff of each file since they parted.

    `diffs` are those that were chosen, `files` is how many files differ at all, or where it is not `is_whole`, how many
    of them GitLab lists.
    """

    commits: Sequence[Entity]
    diffs: Sequence[Entity]
    files: int
    is_whole: bool = True


@dataclass(frozen=True)
class BlamedLines:
    """Lines that stand together in a file, from number `first` on, and the commit that they came from."""

    commit: Entity
    first: int
    lines: Sequence[str]


@dataclass(frozen=True)
class Opened:
    """A merge request that was asked for. `is_new` is whether it was opened now; `remarks` are for the agent."""

    merge_request: WriteResult[Entity]
    is_new: bool
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class NewCommit:
    """A commit to make. `branch` points at `parent` ("" in an empty repository), or begins there if `is_new`.

    `tree` is what is at the paths of `changes` in `parent`. With `merge_request` one into `target` is opened too.
    """

    branch: str
    message: str
    changes: Sequence[Change]
    parent: str
    tree: Mapping[str, TreeEntry]
    is_new: bool
    target: str = ""
    merge_request: NewMergeRequest | None = None


@dataclass(frozen=True)
class Committed:
    """A commit that was made. Its merge request was `opened`, or not, for the reason in `not_opened`."""

    commit: WriteResult[Entity]
    opened: Opened | None = None
    not_opened: str = ""
    remarks: Sequence[str] = field(default=())


class Repository(Protocol):
    """Reads and writes of one project's repository. Every method raises a Failure.

    Commits, branches and merge requests are GitLab's entities. A ref is a branch, a tag or a commit's id.
    """

    pipelines: str
    """Whether what is written here starts pipelines, in a few words for the agent."""

    @property
    def default_branch(self) -> str:
        """The default branch, also of an empty repository; "main" where GitLab does not say."""

    def is_empty(self) -> bool:
        """Whether there is no commit yet."""

    def branches(self, search: str, page: int, per_page: int) -> Page:
        """A page of branches whose name contains `search`."""

    def branch(self, name: str) -> Entity:
        """A branch. Raises NotFound."""

    def create_branch(self, name: str, ref: str) -> WriteResult[Entity]:
        """Create a branch at `ref`, once. Raises Conflict when there is one of that name."""

    def delete_branch(self, name: str) -> WriteResult[Entity]:
        """Delete a branch, once: as it was. Raises NotFound, Refused for the default and for a protected branch."""

    def commit(self, ref: str) -> Entity:
        """The commit that a ref names. Raises NotFound."""

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        """A page of the entries of a folder, folders first. Raises NotFound for an unknown ref or folder."""

    def all_files(self, ref: str) -> dict[str, TreeEntry]:
        """Every file, link and submodule at `ref`, by path; {} for an empty repository."""

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """What is in the folders of `paths` and in every folder above them, by path; {} for an unknown ref."""

    def file(self, path: str, ref: str) -> File:
        """A file with its content. Raises NotFound."""

    def history(self, ref: str, path: str, page: int, per_page: int) -> Page:
        """A page of commits, newest first; those that changed `path` (a file or folder) if given. Raises NotFound."""

    def commit_and_diffs(self, ref: str) -> tuple[Entity, Sequence[Entity]]:
        """The commit that a ref names, and GitLab's Diff of each file that it changed in its first parent."""

    def search(self, words: str, ref: str, page: int, per_page: int) -> Page:
        """A page of GitLab's Blobs: where `words` stand in names and contents of files, in any letter case.

        `ref` "" is the default branch. Raises NotFound, Refused where there is too much to search in.
        """

    def compare(self, base: str, head: str, globs: Sequence[str] = ()) -> Comparison:
        """What `head` has that `base` lacks; with `globs` the diffs of the files they match only. Raises NotFound."""

    def blame(self, path: str, ref: str, first: int, last: int) -> list[BlamedLines]:
        """Which commits the lines `first` to `last` (0: the end) of a file came from. Raises NotFound."""

    def pinned(self, changes: Sequence[Change], tip: str, tree: Mapping[str, TreeEntry]) -> list[Change]:
        """The changes, such that what somebody else changed since `tip` at their paths is not overwritten.

        Raises Conflict for a change whose last_commit_id is out of date, as far as that is known before the commit.
        """

    def create_commit(self, new: NewCommit) -> Committed:
        """Make a commit, all of it and once. Raises Conflict when one of its paths changed meanwhile."""

    def open_merge_request(self, source: str, target: str, wanted: NewMergeRequest) -> Opened:
        """Open a merge request, once; one that is open already for these branches stays as it is.

        Raises Refused when the source has no commits of its own.
        """

    def update_merge_request(self, target: Noteable, update: Update) -> Opened:
        """Change a merge request: only what is given."""
