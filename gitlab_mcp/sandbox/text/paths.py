"""Checks of paths in requests, as GitLab makes them before it looks a path up."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote_plus

_TRAVERSAL = re.compile(r"\A\.{1,2}\Z|\A\.\.[/\\]|[/\\]\.\.\Z|[/\\]\.\.[/\\]|\n")


def is_valid_file_path(path: str) -> bool:
    """Whether API::Validations::Validators::FilePath takes a path: relative, without traversal, encoded once."""
    decoded = unquote_plus(path)
    return decoded == unquote_plus(decoded) and not _TRAVERSAL.search(decoded) and not path.startswith("/")


def tree_path_error(path: str) -> str:
    """GitLab's words for a folder that Gitaly refuses to list (GetTreeEntries), or ""."""
    if path.startswith("/"):
        return "Only relative path is accepted"
    return "Path cannot include traversal syntax" if posixpath.normpath(path).split("/")[0] == ".." else ""
