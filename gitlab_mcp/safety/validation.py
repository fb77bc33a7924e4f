"""Values from a client, checked before anything is done with them: text with a UTF-8 form, paths in a repository."""

import re

INVALID_UNICODE = "an unpaired surrogate (invalid Unicode): leave it out"


def is_valid_unicode(value: object) -> bool:
    """Whether a text, and every text in a list or an object, can be sent: an unpaired surrogate has no UTF-8 form."""
    if isinstance(value, list):
        return all(map(is_valid_unicode, value))
    if isinstance(value, dict):
        return all(is_valid_unicode(text) for item in value.items() for text in item)
    return not (isinstance(value, str) and re.search("[\ud800-\udfff]", value))


def repository_path(path: str) -> str:
    """`path` in the form that git uses in a tree, without "./" before it or "/" behind it.

    Raises ValueError for a path that no file in a repository can have.
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
