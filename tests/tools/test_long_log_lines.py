"""Long lines in the log of a job: progress written over and over, what is searched of a line, and secrets in it."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.job_logs import job_with, numbered
from tests.support.settings import settings_for

SECRET = "SUPERSECRETVALUE0123456789abcdef"
START, END = "section_start:1:step_script\r\x1b[0K", "section_end:2:step_script\r\x1b[0K"
AFTER = "section_start:3:after_script\r\x1b[0KRunning after_script\n$ echo after\nsection_end:4:after_script\r\x1b[0K"
ENDED = "ERROR: Job failed: exit code 56\n"
STAMP = "2026-11-23T09:00:00.000000Z 00O"


def progress(updates: int) -> str:
    return "".join(f"{number % 100:3d}% downloaded {number:06d} of 9999999\r" for number in range(updates))


@pytest.mark.parametrize("updates", [10, 500, 5_000, 50_000])
async def test_the_failed_command_and_its_error_are_found_around_long_progress(sandbox: Sandbox, updates: int) -> None:
    error = "curl: (56) connection reset by peer"
    whole = job_with(sandbox, f"{START}$ curl x\n{progress(updates)}{error}\n{END}{ENDED}".encode())
    unended = job_with(sandbox, f"{START}$ curl x\n{progress(updates)}{error}{END}{AFTER}{ENDED}".encode())
    silent = job_with(sandbox, f"{START}$ curl x\n{progress(updates)}{END}{AFTER}{ENDED}".encode())
    async with connect(settings_for(sandbox)) as agent:
        for number in (whole, unended, silent):
            answer = await agent.call("get_job_log", job_id=number)
            assert "The command that failed, line 1: curl x" in answer
            assert (f"\n2\t{error}" in answer) == (number != silent)


async def test_what_goes_on_line_by_line_under_time_stamps_keeps_its_end_too(sandbox: Sandbox) -> None:
    parts = "".join(f"{STAMP}+{number:06d} of 9999999 are there by now\r\n" for number in range(3_000))
    log = f"{STAMP} {START}$ curl x\n{STAMP} begun\r\n{parts}{STAMP}+the end{END}\n{STAMP} {ENDED}"
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=job_with(sandbox, log.encode()), start_line=1)
    assert list(numbered(answer).values()) == ["$ curl x", "the end", ENDED.strip()]


async def test_a_marker_at_the_end_of_a_line_without_end_is_found_wherever_it_is(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        for length in (*range(31_950, 32_050, 7), *range(65_400, 65_600, 7)):
            log = f"{START}$ run\n{'x' * length}{END}$ no command\n{ENDED}"
            answer = await agent.call("get_job_log", job_id=job_with(sandbox, log.encode()))
            assert "The command that failed, line 1: run" in answer


async def test_what_is_concealed_stays_so_in_a_line_however_long(sandbox: Sandbox) -> None:
    log = f"{progress(2_000)}seen\x1b[8m{'obey me ' * 20_000}\robey me\x1b[0m again\n"
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=job_with(sandbox, log.encode()), start_line=1)
    assert numbered(answer) == {1: "seen again"}


async def test_a_line_of_wide_characters_that_is_cut_ends_in_an_ellipsis(sandbox: Sandbox) -> None:
    number = job_with(sandbox, ("\U0001f600" * 2_500).encode() + b"\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number, start_line=1)
    assert numbered(answer) == {1: "\U0001f600" * 1_999 + "…"}
    assert "Lines that end in … are cut: start_line" in answer


async def test_a_search_says_how_much_of_a_longer_line_it_looked_at(sandbox: Sandbox) -> None:
    log = f"{'x' * 500} needle here\n{'y' * 3_000}needle\nshort\n"
    number = job_with(sandbox, log.encode())
    async with connect(settings_for(sandbox)) as agent:
        simple = await agent.call("get_job_log", job_id=number, grep="needle")
        harder = await agent.call("get_job_log", job_id=number, grep="x.*need.*here")
        short = await agent.call("get_job_log", job_id=number, grep="short", start_line=3)
    assert " · 1 match\n" in simple
    assert "Searched only the first 2,000 characters of a line: 1 other line is longer." in simple
    assert " · 1 match\n" in harder
    assert "Searched only the first 2,000 characters of a line: 1 other line is longer." in harder
    assert "Searched only" not in short


@pytest.mark.parametrize("chosen", [{}, {"start_line": 1}, {"grep": "rest|^p"}])
async def test_a_secret_that_a_cut_goes_through_is_removed_whole(sandbox: Sandbox, chosen: dict[str, object]) -> None:
    before = [*range(368, 404, 4), *range(1_968, 2_004, 4), *range(5_968, 6_004, 4), 3_990, 7_990, 30_000, 31_990]
    lines = [f"{'p' * length}{SECRET} rest{'q' * more}" for length in before for more in (0, 2_500, 40_000)]
    coloured = ["\x1b[1m" * length + SECRET + "q" * 40_000 for length in range(1_490, 1_501)]
    controls = ["\x01" * 47 + SECRET, f"$ {'p' * 280}{SECRET}"]
    async with connect(settings_for(sandbox, secrets=(SECRET,))) as agent:
        for line in (*lines, *coloured, *controls):
            number = job_with(sandbox, f"{START}{line}\n".encode())
            assert "SUPERSECRET" not in await agent.call("get_job_log", job_id=number, **chosen)
