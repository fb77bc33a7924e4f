"""The review and the fix that the documentation shows, as the real Claude Code CLI takes them with a scripted model."""

from collections.abc import Callable, Iterator

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import Place, claude, fresh_place, needs_claude, python_for
from tests.e2e.model import Call, Model, Request, Turn
from tests.support.ci_job import allow_job_pushes, job_environment
from tests.support.journeys import Journey, fix, review

DONE = "It is done."


@pytest.fixture
def place() -> Iterator[Place]:
    with fresh_place() as fresh:
        yield fresh


def clone(place: Place, sandbox: Sandbox, branch: str) -> None:
    """Make the working directory a clone whose `origin` holds no credential."""
    scheme, _, host = sandbox.url.partition("://")
    path = f"{host}/{sandbox.project}.git"
    place.git("clone", "--quiet", "--branch", branch, f"{scheme}://x:{sandbox.tokens['developer']}@{path}", ".")
    place.git("remote", "set-url", "origin", f"{scheme}://{path}")


def script(journey: Callable[[], Journey]) -> Callable[[Request], Turn]:
    """A model that takes a journey: each request has all results so far, and from these its next step follows."""

    def turn(request: Request) -> Turn:
        steps = journey()
        step = next(steps)
        for result in request.results:
            try:
                step = steps.send(result.text)
            except StopIteration:
                return DONE
        return Call(step.tool if step.own else f"mcp__gitlab__{step.tool}", step.arguments)

    return turn


def take(place: Place, env: dict[str, str], journey: Callable[[], Journey]) -> Request:
    """Register the server as its command does, and let the CLI take the journey; its last request, with all results."""
    python = python_for(place.user)
    given = {**python.variables, **env}
    command = (python.executable, "-m", "gitlab_mcp", "register")
    registered = place.run(*command, env=place.environment(**given))
    assert registered.returncode == 0, registered.stderr
    with Model(script(journey)) as model:
        done = claude(place, model, allowed="mcp__gitlab Read Edit", env=given)
    assert (done.returncode, done.stdout.strip()) == (0, DONE), done.stderr
    last = model.requests[-1]
    assert [result.text for result in last.results if result.is_error] == []
    return last


def local(sandbox: Sandbox, who: str) -> dict[str, str]:
    """What a person has in the environment of a local run."""
    return {"GITLAB_URL": sandbox.url, "GITLAB_ACCESS_TOKEN": sandbox.tokens[who]}


def called(last: Request) -> list[str]:
    """The tools, in the order of their calls."""
    return [result.name.removeprefix("mcp__gitlab__") for result in last.results]


@needs_claude
def test_claude_code_reviews_a_merge_request_and_its_author_resolves_a_thread(
    fresh_sandbox: Sandbox, place: Place
) -> None:
    number = review.to_review(fresh_sandbox)
    clone(place, fresh_sandbox, "rename-report")
    reviewed = take(place, local(fresh_sandbox, "maintainer"), review.review)
    assert "Not posted:\nsrc/app/summary.py:18: new line 18 is not in the diff" in reviewed.results[-1].text
    answered = take(place, local(fresh_sandbox, "developer"), lambda: review.answer(number))
    found = ["list_merge_requests", "get_merge_request", "get_merge_request_diff"]
    assert called(reviewed) == [*found, "review_merge_request"]
    assert called(answered) == ["list_discussions", "resolve_discussion"]
    review.assert_reviewed(fresh_sandbox, number)


@needs_claude
def test_claude_code_mends_a_failed_pipeline_with_what_it_edited_on_disk(fresh_sandbox: Sandbox, place: Place) -> None:
    number, failed = fix.to_fix(fresh_sandbox)
    clone(place, fresh_sandbox, fix.BRANCH)
    last = take(place, local(fresh_sandbox, "developer"), lambda: fix.fix(number, place.work))
    assert called(last) == [
        *("get_pipeline", "get_job_log", "get_test_report", "get_job_log"),
        *("Read", "Edit", "Edit"),
        *("commit_files", "get_pipeline", "create_note"),
    ]
    made = fix.assert_committed(fresh_sandbox, failed)
    assert fix.notes(fresh_sandbox, number) == [f"{fix.SAID[0]} {made} {fix.SAID[1]}"]
    assert f"commit {made}" in last.results[-2].text


@needs_claude
def test_claude_code_in_a_job_that_has_the_job_token_alone_commits_the_fix(
    fresh_sandbox: Sandbox, place: Place
) -> None:
    allow_job_pushes(fresh_sandbox)
    number, failed = fix.to_fix(fresh_sandbox)
    clone(place, fresh_sandbox, fix.BRANCH)
    environ = job_environment(fresh_sandbox, place.work)
    del environ["PATH"]  # the place has its own
    last = take(place, environ, lambda: fix.fix_by_job(number, place.work))
    assert called(last) == ["get_pipeline", "Read", "Edit", "Edit", "commit_files"]
    assert "No pipeline starts for a push with CI_JOB_TOKEN" in last.results[-1].text
    unlisted = {f"mcp__gitlab__{name}" for name in ("get_job_log", "get_test_report", "create_note")}
    assert unlisted.isdisjoint(last.tools)
    fix.assert_committed(fresh_sandbox, failed)
