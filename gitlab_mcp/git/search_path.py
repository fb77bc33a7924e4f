"""Where programs are looked up: in the absolute entries of PATH only."""

import os
from collections.abc import Mapping


def search_path(environ: Mapping[str, str]) -> str:
    """The value of PATH without its empty and relative entries, which name folders of the working directory.

    In a checkout they would let a program of the checkout run, with the tokens that its environment holds.
    """
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(filter(os.path.isabs, entries)) or os.defpath
