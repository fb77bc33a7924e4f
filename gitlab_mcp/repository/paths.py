"""Paths inside a repository."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pathspec import GitIgnoreSpec

SPECIAL = re.compile(r"[*?\[\\]")
BRACKET = re.compile(r"(?<!\\)\[")


def folders_above(path: str) -> list[str]:
    """The folders above `path`, from the root ("") down to the one that contains it."""
    parts = path.split("/")[:-1]
    return ["", *("/".join(parts[: depth + 1]) for depth in range(len(parts)))]


def touching(paths: Iterable[str], changed: Iterable[str]) -> list[str]:
    """Those of `changed` that are equal to one of `paths`, a folder above it, or below it; sorted."""
    own = set(paths)
    above = {folder for path in own for folder in folders_above(path)}
    return sorted(
        path for path in set(changed) if path in own or path in above or not own.isdisjoint(folders_above(path))
    )


@dataclass(frozen=True)
class Glob:
    """A glob, and its `pattern`, where a backslash precedes what is meant literally; `is_plain` is a name without any.

    It works as in git's pathspecs with the magic word "glob": ** crosses folders, * does not, and a plain name matches
    that file, or everything in that folder.
    """

    text: str
    pattern: str
    is_plain: bool

    @property
    def pathspec(self) -> str:
        """The same for git."""
        return f":(literal){self.pattern}" if self.is_plain else f":(glob){self.pattern}"

    def matches(self, path: str) -> bool:
        """Whether the file at `path` is meant."""
        if path == self.pattern or path.startswith(f"{self.pattern}/"):
            return True
        return not self.is_plain and _spec(self.pattern).match_file(path)


def resolve(globs: Iterable[str], exists: Callable[[str], bool], names: Callable[[], Iterable[str]]) -> list[Glob]:
    """What `globs` mean in a repository: a name that exists is meant literally, whole or as the beginning of a glob.

    So the glob app/[id]/** means the folder app/[id] where there is one, else app/i and app/d. `exists` is whether
    a file or folder has a path; `names` are their paths, among which a name after a wildcard is looked for, as in
    **/[id].
    """
    return [_resolved(glob, exists, names) for glob in globs]


def _resolved(glob: str, exists: Callable[[str], bool], names: Callable[[], Iterable[str]]) -> Glob:
    literal: str | None = ""  # the path as far as it has no wildcard
    pattern = ""
    for part in glob.split("/"):
        literal = None if literal is None or set(part) == {"*"} else f"{literal}{part}"
        if not SPECIAL.search(part):
            pattern += part
        elif literal is not None and exists(literal):
            pattern += SPECIAL.sub(r"\\\g<0>", part)
        else:
            literal = None
            reading = BRACKET.sub(r"\\[", part)
            is_name = reading != part and any(map(_spec(f"{pattern}{reading}").match_file, names()))
            pattern += reading if is_name else part
        literal, pattern = None if literal is None else f"{literal}/", f"{pattern}/"
    return Glob(glob, glob if literal is not None else pattern[:-1], literal is not None)


def with_folders(files: Iterable[str]) -> set[str]:
    """The paths of files, and of the folders above them."""
    paths = set(files)
    return paths | {folder for path in paths for folder in folders_above(path)[1:]}


def matcher(
    globs: Sequence[str],
    changed: Iterable[str] = (),
    entries: Callable[[list[str]], Iterable[str]] = lambda _paths: (),
) -> Callable[..., bool]:
    """A function that tells whether any of its paths matches one of `globs`. Without globs, every path matches.

    `changed` are the paths to choose from. `entries` returns what else exists in the folders of paths, and above; it is
    called only for globs with brackets, whose meaning depends on that.
    """
    bracketed = [glob for glob in globs if BRACKET.search(glob)]
    known = with_folders(changed) if globs else set()
    if bracketed:
        known.update(entries(bracketed))
    specs = resolve(globs, known.__contains__, lambda: known)
    return lambda *paths: not specs or any(spec.matches(path) for spec in specs for path in paths)


@lru_cache(1000)
def _spec(glob: str) -> GitIgnoreSpec:
    # In .gitignore, a pattern that matches a folder matches everything in it; in a pathspec only a plain name does.
    return GitIgnoreSpec.from_lines([f"/{glob}"] if glob.endswith("**") else [f"/{glob}", f"!/{glob}/**"])
