"""The regular expressions of get_job_log: none blocks the server, however slow it is."""

import time

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.job_logs import job_with
from tests.support.settings import settings_for

TOO_OFTEN = "repeats groups or characters too often"
TOO_LONG = "takes too long on this log: use a simpler one"
INVALID = "is not a valid regular expression"
NO_JOB = 999_999
ENDS_IN_TIME = 30.0  # seconds; a search may take 5 s, and one line 1 s of processor time


@pytest.mark.parametrize(
    ("grep", "message"),
    [
        ("(", INVALID),
        ("a**", INVALID),
        ("[z-a]", INVALID),
        ("(?a)(?u)a", INVALID),
        (r"\L<names>", INVALID),
        ("(a(?R)?b?)*c", INVALID),
        ("a{99999999999}b", TOO_OFTEN),
        ("a" * 201, "at most 200 are allowed"),
        ("(?x)(?: a ) { 9 9 9 }", "has the flag x"),
        # To compile these would take gigabytes, minutes or for ever.
        ("a{1000000000}b", TOO_OFTEN),
        ("(?:a{400}){400}b", TOO_OFTEN),
        ("(" * 40 + "a" + ")+" * 40, TOO_OFTEN),
        ("(" * 25 + "a" + "){1,9}" * 25, TOO_OFTEN),
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
        ("(?:" + "()" * 90 + "){500}b", TOO_OFTEN),
        ("(?:(?:" + r"\B" * 80 + "){400}){400}b", TOO_OFTEN),
    ],
)
async def test_an_expression_that_cannot_be_compiled_is_refused_before_anything_is_read(
    sandbox: Sandbox, grep: str, message: str
) -> None:
    began = time.monotonic()
    async with connect(settings_for(sandbox)) as agent:
        assert message in await agent.refused("get_job_log", job_id=NO_JOB, grep=grep)
    assert time.monotonic() - began < ENDS_IN_TIME


@pytest.mark.parametrize(
    "grep",
    [
        "(a+)+$",
        "(a|aa)*b",
        "a?" * 30 + "a" * 30,
        "(a|a)" * 30,
        ".*a.*b.*c",
        "(a|b|ab)*(?=c)",
        r"(a*)*\1c",
        "(a{1,9}b?){1,60}(a|aa)*c",
        r"(?:\B){63}b",
        ".*.*" + r"\B" * 90 + "b",
        "(?:" + "()" * 90 + "){60}b",
        "a{999}" * 28,
    ],
)
async def test_a_slow_expression_is_answered_or_ends_in_time(sandbox: Sandbox, grep: str) -> None:
    number = job_with(sandbox, (b"a" * 3_000 + b"\n") * 20)
    began = time.monotonic()
    async with connect(settings_for(sandbox)) as agent:
        result = await agent.client.call_tool("get_job_log", {"job_id": number, "grep": grep})
    assert (TOO_LONG if result.is_error else "# Log of job") in str(result.content)
    assert time.monotonic() - began < ENDS_IN_TIME


async def test_the_time_of_a_search_is_limited_for_the_whole_log(sandbox: Sandbox) -> None:
    # Each line takes a part of a second, all of them would take minutes.
    number = job_with(sandbox, (b"a" * 2_000 + b"\n") * 1_000)
    began = time.monotonic()
    async with connect(settings_for(sandbox)) as agent:
        refusal = await agent.refused("get_job_log", job_id=number, grep="(a|b|ab)*(?=c)")
        assert TOO_LONG in refusal
        assert "without a repetition inside a repetition" in refusal
    assert time.monotonic() - began < ENDS_IN_TIME


async def test_a_search_ends_with_the_deadline_of_its_call(sandbox: Sandbox) -> None:
    number = job_with(sandbox, (b"a" * 2_000 + b"\n") * 1_000)
    async with connect(settings_for(sandbox, deadline=1.0)) as agent:
        began = time.monotonic()
        await agent.refused("get_job_log", job_id=number, grep="(a|b|ab)*(?=c)")
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "grep",
    [
        *(".*.*b", "(x{1,10}|y)a*$", r"\w+\s*b", "a*a*b", "(?i)ERROR|b$", "[]|]b", "a{2,}?b", "a+b", "a{200}b"),
        *(r"(?:(?:\b){6}a){6}b", r".*.*\B\Bb", "(?:a){40}b", "^.*foo.*bar$", "(?:[0-9a-f]{2}:){5}"),
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}.*error.*",
    ],
)
async def test_ordinary_expressions_are_fast_on_lines_made_to_be_slow(sandbox: Sandbox, grep: str) -> None:
    number = job_with(sandbox, (b"a" * 3_000 + b"\n") * 20)
    began = time.monotonic()
    async with connect(settings_for(sandbox)) as agent:
        assert "0 matches" in await agent.call("get_job_log", job_id=number, grep=grep)
    assert time.monotonic() - began < ENDS_IN_TIME


@pytest.mark.parametrize(
    "grep",
    [
        *("error|failed", "ERROR: (?=job)", r"(?P<e>e)(?P=e)?rror", r"(?<!\w)job failed", r"[Ee]rr(?:or)?\b.+\d$"),
        *(
            r"^error:\s+\S+",
            "(?i)JOB",
            "(?i:JOB)",
            r"fa[i-l]+ed: exit code \d{1,3}",
            r"\Aerror",
            r"code 1\Z",
            r"{}|code",
        ),
    ],
)
async def test_the_syntax_of_python_finds_what_it_means(sandbox: Sandbox, grep: str) -> None:
    number = job_with(sandbox, b"fine\nError: Job failed: exit code 1\nfine too\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number, grep=grep, context=0)
    assert "1 match" in answer
    assert "2\tError: Job failed: exit code 1" in answer
