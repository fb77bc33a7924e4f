"""The figures of a run: tables of medians, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median


class Table:
    """Samples by row and column, in the order in which the first sample of each came."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._samples: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, column: str, *samples: float) -> None:
        """Add samples to a cell."""
        self._samples.setdefault(row, {}).setdefault(column, []).extend(samples)

    def figure(self, row: str, column: str) -> float | None:
        """The median of a cell; None where it has no sample."""
        samples = self._samples.get(row, {}).get(column)
        return median(samples) if samples else None

    @property
    def rows(self) -> dict[str, dict[str, float]]:
        """The medians, by row and column."""
        return {row: {column: median(samples) for column, samples in cells.items()} for row, cells in self.items()}

    def items(self) -> Iterable[tuple[str, dict[str, list[float]]]]:
        """The samples of each row, by column."""
        return self._samples.items()

    def markdown(self) -> str:
        """The table with a bold line of title above it."""
        rows = self.rows
        columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
        lines = [[row, *(_text(cells.get(column)) for column in columns)] for row, cells in rows.items()]
        return f"**{self.title}**\n\n{markdown(['', *columns], lines)}"


class Tables:
    """The tables of a run, by title."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def __getitem__(self, title: str) -> Table:
        """The table of a title to add to."""
        return self._tables.setdefault(title, Table(title))

    def find(self, title: str) -> Table:
        """The table of a title to read from; an empty one where the run has not measured it."""
        return self._tables.get(title, Table(title))

    def filled(self) -> list[Table]:
        """The tables that have figures."""
        return [table for table in self._tables.values() if table.rows]


def markdown(columns: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown, the first column to the left and the others to the right."""
    lines = [columns, ["---", *(["---:"] * (len(columns) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 or figure == int(figure) else f"{figure:.1f}"
