"""Paths with a filter such as LFS in .gitattributes: git stores other content there than the file has on disk."""

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

# The first line of an LFS pointer file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_filtered(repository: Repository, ref: str, tree: Mapping[str, TreeEntry], paths: Sequence[str]) -> None:
    """Raise Refused for paths whose content goes through a filter. `tree` holds the entries of every folder above them.

    The .gitattributes files are read at `ref`.
    """
    above = {str(folder / ATTRIBUTES) for path in paths for folder in PurePosixPath(path).parents}
    present = sorted(path for path in above if path in tree and tree[path].mode not in (FOLDER, LINK, SUBMODULE))
    if not present:
        return
    contents = {path: repository.file(path, ref).content for path in present}
    if with_filter := filtered(contents, paths):
        names = one_line(", ".join(sorted(with_filter)), 600)
        raise Refused(f"{names}: .gitattributes gives this to a filter such as LFS; commit it with git.")


def filtered(attributes: Mapping[str, bytes], paths: Iterable[str]) -> set[str]:
    """Those of `paths` for which the .gitattributes files (contents by path) set a filter, according to git itself.

    Raises Refused when git cannot read them.
    """
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-") as folder:
        root, directory = Path(folder) / "tree", Path(folder) / "git"
        for path, content in attributes.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        try:
            git("init", "-q", "--bare", "--template=", str(directory))
            names = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
            arguments = ("check-attr", "-z", "--stdin", "filter")
            return filtered_in(git(*arguments, git_directory=directory, work_tree=root, input_bytes=names))
        except GitError as error:
            raise Refused(f"git cannot read .gitattributes: {one_line(str(error), 300)}.") from error


def is_lfs_pointer(content: bytes) -> bool:
    """Whether this is an LFS pointer, which git stores instead of the file."""
    return content.startswith(LFS_POINTER) and len(content) < 1024
