"""The table in docs/comparison.md: the part of the page that the command writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.comparison import documented
from benchmarks.comparison.probes import PROBES
from benchmarks.machine import REPOSITORY
from benchmarks.page import replace

PAGE = REPOSITORY / "docs" / "comparison.md"
BEGIN, END = "<!-- scripts/comparison --docs writes from here -->", "<!-- to here -->"

Columns = dict[str, Mapping[str, str]]  # the cells of each server, by the title of their row


def columns(page: Path = PAGE) -> Columns:
    """The columns of the page's table; none where it has no table yet."""
    _, _, rest = page.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
    lines = [line for line in rest.partition(END)[0].splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    if not rows:
        return {}
    [_, *names], _, *cells = rows
    return {name: {row[0]: row[number] for row in cells} for number, name in enumerate(names, 1)}


def table(shown: Columns) -> str:
    """The servers beside each other, a row for each probe."""
    lines: list[Sequence[str]] = [["", *shown], ["---"] * (len(shown) + 1)]
    lines += [[title, *(cells.get(title, "not tried") for cells in shown.values())] for title in PROBES]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(about: str, measured: Columns, page: Path = PAGE) -> None:
    """Replace the columns that were measured, and keep the others. Raises ValueError where the page has no markers."""
    shown: Columns = {**columns(page), **measured}
    shown.pop(documented.NAME, None)
    replace(page, BEGIN, END, f"{about}\n\n{table({**shown, documented.NAME: documented.CELLS})}")
