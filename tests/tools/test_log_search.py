"""The regular expressions of get_job_log: those that could take for ever are refused, the others are quick."""

import time

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.job_logs import job_with
from tests.support.settings import settings_for

TOO_OFTEN = "repeats or chooses too often"


@pytest.mark.parametrize(
    ("grep", "told"),
    [
        ("(a+)+$", "repeats a group"),
        ("(a|aa)*b", "repeats a group"),
        ("a?" * 30 + "a" * 30, TOO_OFTEN),
        ("(a|a)" * 30, TOO_OFTEN),
        (".*a.*b.*c", TOO_OFTEN),
        (r"(a)\1", "a backreference"),
        ("(?=a)a", "has a lookaround"),
        ("(", "is not a valid regular expression"),
        ("a" * 201, "at most 200 are allowed"),
        # What matches nothing, any number of times.
        ("(?:(?:(?:){9999}){9999}){9999}b", TOO_OFTEN),
        ("(?:(?:(?:){9999,9999}){9999,9999}){9999,}b", TOO_OFTEN),
        (r"(?:(?:(?:\b){999}){999}){999}b", TOO_OFTEN),
        (r"(?:(?:(?:\B){9999}){9999}){2}b", TOO_OFTEN),
        ("(?:(?:(?:^){999}){999}){999}b", TOO_OFTEN),
        ("(?:(?:(?:$){999}){999}){999}b", TOO_OFTEN),
        ("(?:(?:(?:a{0}){999}){999}){999}b", TOO_OFTEN),
        ("((((){999}){999}){999})b", TOO_OFTEN),
        ("(()(){999}){999}b", TOO_OFTEN),
        ("(?:()){60000}b", TOO_OFTEN),
        ("(?:(?:(?:){400}){400}){400}b", TOO_OFTEN),
        ("(?:(?:" + r"\B" * 80 + "){400}){400}b", TOO_OFTEN),
        (".*.*" + r"\B" * 90 + "b", TOO_OFTEN),
    ],
)
async def test_an_expression_that_could_take_for_ever_is_refused_before_anything_is_read(
    sandbox: Sandbox, grep: str, told: str
) -> None:
    number = job_with(sandbox, b"a" * 300 + b"\n")
    async with connect(settings_for(sandbox)) as agent:
        assert told in await agent.refused("get_job_log", job_id=number, grep=grep)


@pytest.mark.parametrize(
    "grep",
    [
        *(".*.*b", "(x{1,10}|y)a*$", r"\w+\s*b", "a*a*b", "(?i)ERROR|b$", "[]|]b", "a{2,}?b", "a+b", "a{200}b"),
        *(
            r"(?:\b){400}b",
            r"(?:(?:\b){40}a){40}b",
            r".*.*\B\Bb",
            "(?:a){400}b",
            "^.*foo.*bar$",
            "(?:[0-9a-f]{2}:){5}",
        ),
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}.*error.*",
    ],
)
async def test_what_is_not_refused_is_fast_on_lines_made_to_be_slow(sandbox: Sandbox, grep: str) -> None:
    number = job_with(sandbox, (b"a" * 3_000 + b"\n") * 20)
    began = time.monotonic()
    async with connect(settings_for(sandbox)) as agent:
        assert "0 matches" in await agent.call("get_job_log", job_id=number, grep=grep)
    assert time.monotonic() - began < 20
