"""Paths inside a repository."""

from collections.abc import Callable, Iterable, Sequence

from pathspec import GitIgnoreSpec


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


def matcher(globs: Sequence[str]) -> Callable[..., bool]:
    """A function that tells whether any of its paths matches one of `globs`. Without globs, every path matches.

    Globs work as in git's pathspecs with the magic word "glob": ** crosses folders, * does not, and a plain name
    matches that file, or everything in that folder.
    """
    specs = [(glob, _spec(glob)) for glob in globs]
    return lambda *paths: (
        not specs
        or any(
            path == glob or path.startswith(f"{glob}/") or spec.match_file(path)
            for glob, spec in specs
            for path in paths
        )
    )


def _spec(glob: str) -> GitIgnoreSpec:
    # In .gitignore, a pattern that matches a folder matches everything in it; in a pathspec only a plain name does.
    return GitIgnoreSpec.from_lines([f"/{glob}"] if glob.endswith("**") else [f"/{glob}", f"!/{glob}/**"])
