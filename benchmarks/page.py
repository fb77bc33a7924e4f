"""The figures in docs/performance.md: the part of the page that the command writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import REPOSITORY
from benchmarks.tables import Table, markdown
from benchmarks.targets import Target

PAGE = REPOSITORY / "docs" / "performance.md"
BEGIN, END = "<!-- scripts/bench --docs writes from here -->", "<!-- to here -->"


def write(
    about: Mapping[str, str], runs: int, held: Sequence[Target], tables: Sequence[Table], page: Path = PAGE
) -> None:
    """Replace what stands between the two markers. Raises ValueError where the page does not have them."""
    made = ", ".join(f"{name} {value}" for name, value in about.items())
    parts = [f"Measured: {made}. Medians of {runs}.", "### Targets", targets_table(held), "### Figures"]
    parts += [table.markdown() for table in tables]
    replace(page, BEGIN, END, "\n\n".join(parts))


def replace(page: Path, first: str, last: str, content: str) -> None:
    """Replace what stands between two lines of a page. Raises ValueError where the page does not have them."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(f"{first}\n")
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"{page} does not have the lines {first} and {last}.")
    page.write_text(f"{before}{begin}\n{content}\n\n{end}{after}", encoding="utf-8")


def targets_table(held: Sequence[Target]) -> str:
    """What is to be reached, what was measured, and whether it was."""
    rows = [
        [
            target.name,
            f"{'at least' if target.least else 'at most'} {target.bound:,g}",
            f"{target.measured:,.3g}" if target.measured < 1000 else f"{target.measured:,.0f}",
            "met" if target.met else "**not met**",
        ]
        for target in held
    ]
    return markdown(["target", "bound", "measured", "result"], rows)
