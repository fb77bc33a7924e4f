"""The runner: a check that hangs or breaks does not hold up the others."""

import shutil
import threading
import time

import pytest

from gitlab_mcp.config.settings import Flags
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult
from gitlab_mcp.doctor.runner import run
from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place


@pytest.mark.parametrize("path", ["", "(?<!/version)$"])
def test_everything_ends_in_time_whatever_hangs(fresh_sandbox: Sandbox, place: Place, path: str) -> None:
    hangs = f"{shutil.which('sleep')} 60 & wait"
    place.has_claude(hangs)
    place.registers(command="/bin/sh", args=["-c", hangs, "serve"])
    fresh_sandbox.faults.delay(path=path, seconds=60, times=100)
    began = time.monotonic()
    report = place.examine(place.job(fresh_sandbox))
    assert time.monotonic() - began < 22
    assert report.of("reachable")[0] == ("pass" if path else "fail")
    assert report.of("push")[0] == report.of("default-branch")[0] == "skipped"
    assert report.of("claude-version")[0] == "skipped"
    assert report.of("connected")[0] == "fail"


def test_a_check_that_breaks_is_one_sentence_and_hides_no_other(place: Place) -> None:
    def breaks(context: DoctorContext) -> CheckResult:
        raise KeyError(context.environ["GITLAB_URL"])

    context = DoctorContext(Flags(), place.local("http://127.0.0.1:9"), place.directory)
    other = Check("other", "whether others go on", lambda _: CheckResult("pass", "They do"))
    [(_, broken), (_, well)] = run([Check("broken", "whether it works", breaks), other], context)
    assert broken.status == "skipped"
    assert broken.what.startswith("whether it works: the check failed with an internal error (KeyError)")
    assert broken.remedy
    assert well.status == "pass"


def test_no_thread_of_a_check_is_left_over_when_all_went_well(sandbox: Sandbox, place: Place) -> None:
    before = threads_outside_the_sandbox()
    place.examine(place.local(sandbox.url, sandbox.tokens["developer"]))
    for thread in threads_outside_the_sandbox() - before:
        thread.join(5)
    assert threads_outside_the_sandbox() - before == set()


def threads_outside_the_sandbox() -> set[threading.Thread]:
    """All threads but those in which the sandbox answers: it starts them when requests arrive, and keeps them."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("sandbox_")}
