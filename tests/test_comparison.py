"""docs/comparison.md: this server's column is what this server does today, and the page is what the command writes."""

from pathlib import Path

import pytest

from benchmarks.candidates import OURS
from benchmarks.comparison import documented, page
from benchmarks.comparison.probes import PROBES, Probe
from benchmarks.comparison.servers import PEERS, this_server


@pytest.mark.parametrize(("title", "probe"), PROBES.items(), ids=[probe.__name__ for probe in PROBES.values()])
def test_our_cell_is_what_this_server_does(title: str, probe: Probe) -> None:
    # Where this fails because the server has changed: scripts/comparison --own --docs
    assert page.columns()[OURS][title] == probe(this_server())


def test_the_page_has_every_server_and_every_row() -> None:
    columns = page.columns()
    assert len(columns) == 1 + len(PEERS) + 1
    assert {title for cells in columns.values() for title in cells} == set(PROBES)
    assert columns[documented.NAME] == documented.CELLS


def test_a_run_with_this_server_alone_keeps_the_columns_of_the_others(tmp_path: Path) -> None:
    copy = tmp_path / "comparison.md"
    copy.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    before = page.columns(copy)
    page.write("Tried today.", {OURS: dict.fromkeys(PROBES, "yes")}, copy)
    after = page.columns(copy)
    assert after.pop(OURS) == dict.fromkeys(PROBES, "yes")
    assert after == {name: cells for name, cells in before.items() if name != OURS}
