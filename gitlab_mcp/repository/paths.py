"""Paths inside a repository."""

from collections.abc import Callable, Iterable, Sequence

from pathspec import GitIgnoreSpec


def folders_above(path: str) -> list[str]:
    """The folders whose listings show `path` and every part of it: "" is the root."""
    parts = path.split("/")[:-1]
    return ["", *("/".join(parts[: depth + 1]) for depth in range(len(parts)))]


def touching(paths: Iterable[str], changed: Iterable[str]) -> list[str]:
    """Those of `changed` that are one of `paths`, above or below one of them."""
    own = set(paths)
    above = {folder for path in own for folder in folders_above(path)}
    return sorted(
        path for path in set(changed) if path in own or path in above or not own.isdisjoint(folders_above(path))
    )


def matcher(globs: Sequence[str]) -> Callable[..., bool]:
    """Whether any of some paths matches one of `globs`; every path does where there are none.

    As in git's pathspecs with "glob": ** crosses folders, * does not, and a name as it is means that file, or all in
    that folder.
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
    # To .gitignore, what matches a folder matches all in it; to a glob only a plain name does.
    return GitIgnoreSpec.from_lines([f"/{glob}"] if glob.endswith("**") else [f"/{glob}", f"!/{glob}/**"])
