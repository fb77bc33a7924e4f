"""How a run ended: by the last event, with its exit code and its sentences."""

from typing import Any

import pytest

from gitlab_mcp.claude_code.ending import Ending, ending_of
from gitlab_mcp.claude_code.events import SessionEnd
from tests.support.claude_stream import ended, read, stream

KEY = "Invalid API key · Fix external API key"
FAILED = {"is_error": True, "terminal_reason": "api_error"}


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        pytest.param(ended(), Ending.DONE, id="done"),
        pytest.param(ended(None, subtype="error_max_turns", is_error=True), Ending.OUT_OF_TURNS, id="turns"),
        pytest.param(ended(None, subtype="error_max_budget_usd", is_error=True), Ending.OUT_OF_BUDGET, id="budget"),
        pytest.param(ended(None, subtype="error_max_turns", is_error=False), Ending.OUT_OF_TURNS, id="no is_error"),
        pytest.param(ended(KEY, **FAILED, api_error_status=401), Ending.SIGN_IN_FAILED, id="wrong key"),
        pytest.param(ended("No.", **FAILED, api_error_status=403), Ending.SIGN_IN_FAILED, id="forbidden"),
        pytest.param(ended("Not logged in · Please run /login", **FAILED), Ending.SIGN_IN_FAILED, id="no key"),
        pytest.param(ended("Overloaded", **FAILED, api_error_status=529), Ending.MODEL_UNREACHABLE, id="529"),
        pytest.param(ended("Too many requests", **FAILED, api_error_status=429), Ending.MODEL_UNREACHABLE, id="429"),
        pytest.param(ended("Connection error.", **FAILED), Ending.MODEL_UNREACHABLE, id="no response"),
        pytest.param(ended("model: unknown", **FAILED, api_error_status=404), Ending.FAILED, id="unknown model"),
        pytest.param(ended(None, subtype="error_during_execution", is_error=True), Ending.FAILED, id="other error"),
    ],
)
def test_the_last_event_says_how_a_run_ended(line: dict[str, Any], ending: Ending) -> None:
    [event] = read(stream(line))
    assert isinstance(event, SessionEnd)
    assert ending_of(event) is ending


def test_a_run_without_a_last_event_was_killed() -> None:
    assert ending_of(None) is Ending.KILLED


def test_the_exit_code_says_who_has_to_act() -> None:
    codes = {code: {str(ending) for ending in Ending if ending.exit_code == code} for code in (0, 1, 2, 3, 143)}
    assert codes == {
        0: {"done", "refused"},
        1: {"failed", "model_unreachable", "killed"},
        2: {"sign_in_failed", "not_started", "no_tools"},
        3: {"out_of_turns", "out_of_budget", "out_of_time"},
        143: {"canceled"},
    }
    assert sum(map(len, codes.values())) == len(Ending)


# Where a run was refused, what refused it gives the reason, and says what to do.
WITH_A_REMEDY = [ending for ending in Ending if ending not in (Ending.DONE, Ending.REFUSED)]


@pytest.mark.parametrize("ending", WITH_A_REMEDY, ids=str)
def test_every_other_ending_says_why_and_how_to_try_again(ending: Ending) -> None:
    assert ending.reason.endswith(".")
    assert ending.remedy.endswith(".")
    assert "try again" in ending.remedy or "retry" in ending.remedy or "start it again" in ending.remedy
