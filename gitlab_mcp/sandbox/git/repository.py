"""A bare repository: its refs and its commits."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.sandbox.git.process import Git

ZERO = "0" * 40
_FIELDS = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00%(trailers:only,unfold)"
_REFUSED_NAME = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./-]|[./]$|^refs/(heads|remotes)/|^HEAD$"
)
# Gitlab::Checks::BranchCheck and TagCheck, which check pushes and the API's writes alike.
_HEX_BRANCH = re.compile(r"[0-9a-fA-F]{40}(-/|/|\Z)")
_HEX_TAG = re.compile(r"[0-9a-fA-F]{40}")
_HEX_BRANCH_REFUSED = "You cannot create a branch with a 40-character hexadecimal branch name."
_HEX_TAG_REFUSED = "You cannot create a tag with a SHA-1 or SHA-256 tag name."
_DEFAULT_TAG_REFUSED = "You cannot use default branch name to create a tag"


class RefMoved(Exception):
    """A ref could not be updated because it does not point at the expected commit."""


@dataclass(frozen=True)
class Commit:
    """A commit; dates are ISO 8601 with the UTC offset that the commit records."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: str
    committer_name: str
    committer_email: str
    committed_at: str
    message: str
    trailers: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return self.message.strip("\n").split("\n", 1)[0]


@dataclass(frozen=True)
class TagRef:
    """A tag; `target` is the tag object of an annotated tag, else the commit."""

    name: str
    target: str
    commit: str
    message: str
    tagged_at: str | None


def valid_branch_name(name: str) -> bool:
    """Whether this is a valid name of a branch or tag (Gitlab::GitRefValidator: those of git-check-ref-format)."""
    return bool(name) and len(name) < 250 and not _REFUSED_NAME.search(name)


def branch_refusal(name: str) -> str:
    """GitLab's message if a valid branch name looks like the sha of a commit, else ""."""
    return _HEX_BRANCH_REFUSED if _HEX_BRANCH.match(name) else ""


def tag_refusal(name: str, default_branch: str) -> str:
    """GitLab's message if a valid tag name begins like a sha or is the default branch's, else ""."""
    if name == default_branch:
        return _DEFAULT_TAG_REFUSED
    return _HEX_TAG_REFUSED if _HEX_TAG.match(name) else ""


class Repository:
    """A bare repository on disk."""

    def __init__(self, git: Git, path: Path) -> None:
        self.git = git
        self.path = path
        self.conflicts: dict[tuple[str, str], bool] = {}  # (source, target): whether their merge conflicts
        self._commits: dict[str, Commit] = {}

    def create(self, default_branch: str = "main") -> None:
        """Create an empty repository on disk."""
        self.path.mkdir(parents=True)
        (self.path / "objects").mkdir()
        (self.path / "refs" / "heads").mkdir(parents=True)
        (self.path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", encoding="utf-8")
        self.configure()

    def configure(self) -> None:
        """Write the whole configuration, so that no setting of a copied repository takes effect here."""
        (self.path / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tlogallrefupdates = false\n\tquotePath = false\n"
            "[http]\n\treceivepack = true\n"
            "[receive]\n\tadvertisePushOptions = true\n\tfsckObjects = false\n\tautogc = false\n"
            # Gitaly hides GitLab's own refs from pushes; any other ref, such as refs/notes/commits, may be pushed.
            "\thideRefs = refs/merge-requests\n\thideRefs = refs/keep-around\n"
            "\thideRefs = refs/pipelines\n\thideRefs = refs/environments\n"
            "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
            "[gc]\n\tauto = 0\n[safe]\n\tbareRepository = all\n[transfer]\n\thideRefs = refs/sandbox\n",
            encoding="utf-8",
        )

    def remove(self) -> None:
        """Delete the repository from disk."""
        shutil.rmtree(self.path, ignore_errors=True)

    def run(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git in the repository and return its stdout as text; raises GitError."""
        return self.git.output(self.path, *arguments, stdin=stdin).decode("utf-8", "replace")

    # Refs

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names, whether it exists or not."""
        head = (self.path / "HEAD").read_text(encoding="utf-8").strip()
        return head.removeprefix("ref: refs/heads/")

    def set_default_branch(self, name: str) -> None:
        """Make HEAD name another branch."""
        self.run("symbolic-ref", "HEAD", f"refs/heads/{name}")

    def refs(self, prefix: str, *options: str) -> dict[str, str]:
        """The refs below a prefix such as refs/heads/, as a dict from the name without the prefix to the sha."""
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname)", *options, prefix).splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return {name.removeprefix(prefix): sha for sha, name in pairs}

    def branches(self) -> dict[str, str]:
        """All branches, as a dict from name to the commit that the branch points at."""
        return self.refs("refs/heads/")

    def merged_branches(self, into: str) -> set[str]:
        """The names of the branches that are merged into a commit."""
        return set(self.refs("refs/heads/", f"--merged={into}"))

    def branch(self, name: str) -> str | None:
        """The commit that a branch points at, or None if the branch does not exist."""
        return self.first_of([f"refs/heads/{name}"])

    def is_empty(self) -> bool:
        """Whether the repository has no branches."""
        return not self.run("for-each-ref", "--count=1", "refs/heads/")

    def resolve(self, ref: str) -> str | None:
        """The commit of a branch, a tag or a (short) sha, looked up in this order, or None."""
        if not ref or ref.startswith("-"):
            return None
        return self.first_of([f"refs/heads/{ref}", f"refs/tags/{ref}", ref])

    def first_of(self, revisions: Iterable[str]) -> str | None:
        """The commit of the first revision that exists."""
        wanted = [revision for revision in revisions if "\n" not in revision and "\x00" not in revision]
        if not wanted:
            return None
        # git reports an ambiguous short sha on stderr, and a missing object as "<name> missing".
        request = "".join(f"{revision}^{{commit}}\n" for revision in wanted).encode("utf-8", "surrogateescape")
        status, output, _ = self.git.run(self.path, "cat-file", "--batch-check=%(objectname)", stdin=request)
        if status:
            return None
        lines = output.decode("utf-8", "replace").splitlines()
        return next((line for line in lines if re.fullmatch(r"[0-9a-f]{40}", line)), None)

    def update_ref(self, ref: str, new: str | None, old: str | None) -> None:
        """Set a ref to a commit, or delete it with None, if it still points at `old`; else raise RefMoved."""
        arguments = ["-d", ref, old or ZERO] if new is None else [ref, new, old or ZERO]
        status, _, stderr = self.git.run(self.path, "update-ref", *arguments)
        if status:
            raise RefMoved(stderr.strip())

    def keep(self, ref: str, sha: str) -> None:
        """Set a ref that nothing else updates, such as refs/merge-requests/1/head, to a commit."""
        self.run("update-ref", ref, sha)

    def tags(self) -> list[TagRef]:
        """All tags."""
        separator = "%00"
        fields = ["refname:strip=2", "objectname", "*objectname", "contents", "creatordate:iso-strict", "objecttype"]
        form = separator.join(f"%({name})" for name in fields) + "%00%00"
        output = self.run("for-each-ref", f"--format={form}", "refs/tags/")
        tags = []
        for record in output.split("\x00\x00\n"):
            if not record:
                continue
            name, target, peeled, message, date, kind = record.split("\x00")
            annotated = kind == "tag"
            tags.append(
                TagRef(name, target, peeled or target, message if annotated else "", date if annotated else None)
            )
        return tags

    # Commits

    def commit(self, sha: str) -> Commit:
        """The commit with a full sha, which must exist."""
        if sha not in self._commits:
            self.log(["--no-walk=unsorted", sha])
        return self._commits[sha]

    def commits(self, shas: Sequence[str]) -> dict[str, Commit]:
        """Several commits by their full shas, read with one git command."""
        missing = [sha for sha in dict.fromkeys(shas) if sha not in self._commits]
        if missing:
            self.log(["--no-walk=unsorted", "--stdin"], stdin="".join(f"{sha}\n" for sha in missing).encode())
        return {sha: self._commits[sha] for sha in shas}

    def log(self, arguments: Sequence[str], *, stdin: bytes = b"") -> list[Commit]:
        """The commits that git log lists for these arguments."""
        output = self.run("log", "-z", "--encoding=UTF-8", f"--format={_FIELDS}", *arguments, stdin=stdin)
        values = output.split("\x00")
        commits = []
        for start in range(0, len(values) - 9, 10):
            sha, parents, an, ae, ad, cn, ce, cd, message, lines = values[start : start + 10]
            pairs = (line.partition(": ") for line in lines.splitlines())
            trailers = tuple((key, value) for key, separator, value in pairs if separator)
            commit = Commit(sha, tuple(parents.split()), an, ae, _iso(ad), cn, ce, _iso(cd), message, trailers)
            self._commits[sha] = commit
            commits.append(commit)
        return commits

    def merge_base(self, *commits: str) -> str | None:
        """The best common ancestor, or None."""
        status, output, _ = self.git.run(self.path, "merge-base", *commits)
        return output.decode().strip() or None if status == 0 else None

    def first_with(self, commit: str, tip: str) -> str:
        """The first commit on the first-parent history of `tip` that has `commit` in its own history, or is it.

        Gitlab::BranchPushMergeCommitAnalyzer finds the merge commit of a merge request that was merged by a push so.
        """
        direct = self.run("rev-list", "--first-parent", tip).split()
        if commit in direct:
            return commit
        descendants = set(self.run("rev-list", "--ancestry-path", f"{commit}..{tip}").split())
        return [sha for sha in direct if sha in descendants][-1]

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether one commit is an ancestor of another, or the same."""
        return self.git.run(self.path, "merge-base", "--is-ancestor", ancestor, descendant)[0] == 0

    def count(self, *revisions: str) -> int:
        """The number of commits in a revision range."""
        return int(self.run("rev-list", "--count", *revisions, "--"))


def _iso(date: str) -> str:
    # git writes Z for UTC since 2.45, +00:00 before.
    return date.removesuffix("Z") + "+00:00" if date.endswith("Z") else date
