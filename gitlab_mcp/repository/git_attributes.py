"""Paths that .gitattributes gives to a filter such as LFS: what git stores there is not what the file holds."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from gitlab_mcp.errors import Refused
from gitlab_mcp.git.objects import FOLDER, LINK, SUBMODULE, TreeEntry
from gitlab_mcp.git.process import GitError, git
from gitlab_mcp.git.worktree_index import filtered_in
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.safety.sanitize import one_line

ATTRIBUTES = ".gitattributes"

# The first line of what LFS stores instead of a file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_filtered(repository: Repository, ref: str, tree: Mapping[str, TreeEntry], paths: Sequence[str]) -> None:
    """Raise Refused for paths whose content goes through a filter. `tree` has what is in every folder above them."""
    above = {str(folder / ATTRIBUTES) for path in paths for folder in PurePosixPath(path).parents}
    present = sorted(path for path in above if path in tree and tree[path].mode not in (FOLDER, LINK, SUBMODULE))
    if not present:
        return
    contents = {path: repository.file(path, ref).content for path in present}
    if found := filtered(contents, paths):
        named = one_line(", ".join(sorted(found)), 600)
        raise Refused(f"{named}: .gitattributes gives this to a filter such as LFS; commit it with git.")


def filtered(attributes: Mapping[str, bytes], paths: Iterable[str]) -> set[str]:
    """Those of `paths` to which the .gitattributes files (contents by path) give a filter; git itself decides."""
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-") as folder:
        root, directory = Path(folder) / "tree", Path(folder) / "git"
        for path, content in attributes.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        try:
            git("init", "-q", "--bare", "--template=", str(directory))
            asked = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
            arguments = ("check-attr", "-z", "--stdin", "filter")
            return filtered_in(git(*arguments, git_directory=directory, work_tree=root, input_bytes=asked))
        except GitError as error:
            raise Refused(f"git cannot make out .gitattributes: {one_line(str(error), 300)}.") from error


def is_lfs_pointer(content: bytes) -> bool:
    """Whether this is what LFS stores instead of a file."""
    return content.startswith(LFS_POINTER) and len(content) < 1024


def is_binary(content: bytes) -> bool:
    """Whether git would take this for a binary file."""
    return b"\0" in content[:8000]
