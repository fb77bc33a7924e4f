"""A seeded part of each long proof; the whole has its own command."""

import sys
from collections.abc import Iterator

import pytest

from tests.proofs import faults, fuzz, rewriting


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a proof says of how far it is; shown when it fails."""
    said: list[str] = []
    yield said
    sys.stdout.write("\n".join(said))


async def test_200_writes_with_faults_in_their_way_happen_once(lines: list[str]) -> None:
    assert await faults.prove(200, 5000, lines.append) == []


async def test_100_pushes_with_faults_in_their_way_happen_once(lines: list[str]) -> None:
    assert await faults.prove(100, 9000, lines.append, "git") == []


async def test_10000_generated_inputs_break_nothing(lines: list[str]) -> None:
    assert await fuzz.prove(10_000, 7, lines.append) == []


async def test_a_sample_of_altered_answers_makes_no_tool_crash_and_no_write_look_failed(lines: list[str]) -> None:
    done, wrong = await rewriting.prove(340, 11, lines.append)
    assert done > 300
    assert wrong == []
