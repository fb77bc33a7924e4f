"""Validation of values from the client: valid Unicode, and paths in a repository."""

import re

INVALID_UNICODE = "an unpaired surrogate (invalid Unicode): leave it out"


def is_valid_unicode(value: object) -> bool:
    """Whether a string, and every string in a list or dict, can be encoded as UTF-8: it has no unpaired surrogate."""
    if isinstance(value, list):
        return all(map(is_valid_unicode, value))
    if isinstance(value, dict):
        return all(is_valid_unicode(text) for item in value.items() for text in item)
    return not (isinstance(value, str) and re.search("[\ud800-\udfff]", value))


def repository_path(path: str) -> str:
    """`path` as git stores it in a tree, without "./" at its beginning or "/" at its end.

    Raises ValueError for a path that no file in a repository can have; its text says what is wrong.
    """
    path = path.removeprefix("./")
    if path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        raise ValueError('give a path from the root of the repository, such as "src/app.py", not an absolute one')
    parts = path.rstrip("/").split("/")
    if ".." in parts or "." in parts or ("" in parts and path.rstrip("/")):
        raise ValueError('a path in a repository has no ".", ".." or empty part')
    if any(part.lower() == ".git" for part in parts):
        raise ValueError("no path in a repository goes through .git")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ValueError("a path cannot hold control characters")
    if not is_valid_unicode(path):
        raise ValueError(f"a path cannot hold {INVALID_UNICODE}")
    return path.rstrip("/")
