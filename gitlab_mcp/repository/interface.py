"""The interface through which tools use a project's repository, the same for both backends.

`rest_backend` works over GitLab's REST API, with an access token; `git_backend` over git, with a job token.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Difference
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merge_requests import NewMergeRequest, Update
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import TreeEntry

T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """A file at a ref; `size` in bytes. `last_commit_id` is the newest commit that changed it, "" if unknown."""

    path: str
    content: bytes
    size: int
    executable: bool
    last_commit_id: str


@dataclass(frozen=True)
class Comparison:
    """The commits of `head` that `base` lacks, oldest first, and GitLab's Diff of each file since their merge base.

    `diffs` holds the files that were selected. `files` is how many files differ at all, or where `is_whole` is false,
    how many of them GitLab lists.
    """

    commits: Sequence[Entity]
    diffs: Sequence[Entity]
    files: int
    is_whole: bool = True


@dataclass(frozen=True)
class BlamedLines:
    """Consecutive lines of a file, from line number `first` on, and the commit that last changed them."""

    commit: Entity
    first: int
    lines: Sequence[str]


@dataclass(frozen=True)
class Opened:
    """An open merge request. `is_new` is whether this call opened it; `remarks` are sentences for the agent.

    `not_taken` are the fields in which it differs from the call, `cleared` those that the call emptied.
    """

    merge_request: WriteResult[Entity]
    is_new: bool
    remarks: Sequence[str] = ()
    not_taken: Sequence[Difference] = ()
    cleared: Sequence[Difference] = ()


@dataclass(frozen=True)
class NewCommit:
    """A commit to create on top of `parent` ("" in an empty repository), at which `branch` points.

    With `is_new` the branch is created there. `tree` holds the entries at the paths of `changes` in `parent`. With
    `merge_request` a merge request into `target` is opened too.
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
    """A commit that was created. Its merge request, if requested, is `opened`, or `not_opened` has the reason."""

    commit: WriteResult[Entity]
    opened: Opened | None = None
    not_opened: str = ""
    remarks: Sequence[str] = field(default=())


class Repository(Protocol):
    """Reads and writes of one project's repository. Every method may raise a Failure.

    Commits, branches and merge requests are GitLab's entities. A ref is a branch, a tag or a commit id.
    """

    pipelines: str
    """A sentence for the agent: whether writes through this backend start pipelines."""

    @property
    def default_branch(self) -> str:
        """The default branch, also of an empty repository; "main" where GitLab does not report it."""

    def at_default_branch(self, read: Callable[[str], T]) -> tuple[str, T]:
        """The default branch, and what `read` returns for it, or for another ref that names the same commit."""

    def is_empty(self) -> bool:
        """Whether the repository has no commits yet."""

    def branches(self, search: str, page: int, per_page: int) -> Page:
        """A page of branches whose name contains `search`."""

    def branch(self, name: str) -> Entity:
        """A branch. Raises NotFound when it does not exist."""

    def create_branch(self, name: str, ref: str) -> WriteResult[Entity]:
        """Create a branch at `ref`, never twice. Raises Conflict when a branch of that name exists."""

    def delete_branch(self, name: str) -> WriteResult[Entity]:
        """Delete a branch, never twice, and return it as it was.

        Raises NotFound when it does not exist, Refused for the default branch and for a protected one.
        """

    def commit(self, ref: str) -> Entity:
        """The commit that a ref names. Raises NotFound for an unknown ref."""

    def folder(self, ref: str, path: str, *, recursive: bool, page: int, per_page: int) -> Page:
        """A page of the entries of a folder, folders first. Raises NotFound for an unknown ref or folder."""

    def all_files(self, ref: str) -> dict[str, TreeEntry]:
        """Every file, link and submodule at `ref`, by path; {} for an empty repository."""

    def entries(self, ref: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """Every entry in the folders of `paths` and in the folders above them, by path; {} for an unknown ref."""

    def file(self, path: str, ref: str) -> File:
        """A file with its content. Raises NotFound for an unknown ref or path."""

    def history(self, ref: str, path: str, page: int, per_page: int) -> Page:
        """A page of commits, newest first; with `path` those that changed this file or folder.

        Raises NotFound for an unknown ref.
        """

    def commit_and_diffs(self, ref: str) -> tuple[Entity, Sequence[Entity]]:
        """The commit that a ref names, and GitLab's Diff of each file that differs from its first parent."""

    def search(self, words: str, ref: str, page: int, per_page: int) -> Page:
        """A page of GitLab's Blobs: matches of `words` in names and contents of files, ignoring case.

        `ref` "" is the default branch. Raises NotFound for an unknown ref, Refused where the search would be too large.
        """

    def compare(self, base: str, head: str, globs: Sequence[str] = ()) -> Comparison:
        """The commits and diffs of `head` that `base` lacks; with `globs` only the diffs of matching files.

        Raises NotFound for an unknown ref.
        """

    def blame(self, path: str, ref: str, first: int, last: int) -> list[BlamedLines]:
        """The commits that last changed the lines `first` to `last` (0: the end) of a file. Raises NotFound."""

    def pinned(self, changes: Sequence[Change], tip: str, tree: Mapping[str, TreeEntry]) -> list[Change]:
        """The changes, with whatever this backend needs to not overwrite a change of their paths made since `tip`.

        Raises Conflict for a change whose last_commit_id is out of date, as far as that is known before the commit.
        """

    def create_commit(self, new: NewCommit) -> Committed:
        """Create a commit with all of its changes, never twice. Raises Conflict when one of its paths changed since."""

    def open_merge_request(self, source: str, target: str, wanted: NewMergeRequest) -> Opened:
        """Open a merge request, never twice; one that is already open for these branches is returned unchanged.

        Raises Refused when the source branch has no commits that the target branch lacks.
        """

    def update_merge_request(self, target: Noteable, update: Update) -> Opened:
        """Change the fields of a merge request that `update` gives."""
