"""A seeded part of each long proof; the whole has its own command."""

import sys
from collections.abc import Iterator

import pytest

from gitlab_mcp.tools import TOOLS
from tests.proofs import faults, fuzz, note_faults, rewriting, setup_faults
from tests.proofs.scenarios import GIT, REST


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a proof says of how far it is; shown when it fails."""
    said: list[str] = []
    yield said
    sys.stdout.write("\n".join(said))


def test_every_tool_that_writes_is_in_the_proofs() -> None:
    assert {scenario.tool for scenario in REST} == {tool.name for tool in TOOLS if tool.writes}
    by_push = {tool.name for tool in TOOLS if tool.writes and tool.job_token}
    assert {scenario.tool for scenario in GIT} == by_push


async def test_200_writes_with_faults_in_their_way_happen_once(lines: list[str]) -> None:
    assert await faults.prove(200, 5000, lines.append) == []


async def test_100_pushes_with_faults_in_their_way_happen_once(lines: list[str]) -> None:
    assert await faults.prove(100, 9000, lines.append, "git") == []


def test_60_tracking_notes_with_faults_in_their_way_are_one_each(lines: list[str]) -> None:
    assert note_faults.prove(60, 7000, lines.append) == []


def test_3_setups_with_faults_in_their_way_make_nothing_twice(lines: list[str]) -> None:
    assert setup_faults.prove(3, 4000, lines.append) == []


async def test_10000_generated_inputs_break_nothing(lines: list[str]) -> None:
    assert await fuzz.prove(10_000, 7, lines.append) == []


async def test_a_sample_of_altered_answers_makes_no_tool_crash_and_no_write_look_failed(lines: list[str]) -> None:
    done, wrong = await rewriting.prove(500, 11, lines.append)
    assert done > 400
    assert wrong == []
