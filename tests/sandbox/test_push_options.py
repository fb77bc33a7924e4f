"""Push options: a push creates and changes merge requests, and prints errors."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People, clone_url, git
from tests.support.seed import SEED

CREATE = "merge_request.create"
REQUEST = f"/projects/:p{SEED.merge_request.path}"
REQUESTED = "feature/verbose-flag"  # the source branch of the merge request in the seed data
NO_CREATE = "A merge_request.create push option is required to create a merge request for branch"


class Work:
    """A clone to push from."""

    def __init__(self, sandbox: Sandbox, where: Path, address: str) -> None:
        self.sandbox = sandbox
        self.path = where / "work"
        git(where, "clone", "--quiet", address, "work")

    def commit(self, branch: str, message: str = "A change", *, name: str = "new.txt") -> str:
        """Commit a new line to a branch, made from main if it is not on GitLab, and return the sha."""
        if git(self.path, "switch", "--quiet", branch, check=False).returncode:
            git(self.path, "switch", "--quiet", "--create", branch, "main")
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write("x\n")
        git(self.path, "add", name)
        git(self.path, "commit", "--quiet", "-m", message)
        return git(self.path, "rev-parse", "HEAD").stdout.strip()

    def push(self, *refs: str, options: tuple[str, ...] = ()) -> list[str]:
        """Push with options; returns the lines that GitLab printed."""
        flags = [flag for option in options for flag in ("-o", option)]
        return remote_lines(git(self.path, "push", *flags, "origin", *refs))


def remote_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines after `remote:`, without the spaces with which git pads them."""
    return [line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if line.startswith("remote:")]


def as_arguments(*options: str) -> tuple[str, ...]:
    return tuple(f"merge_request.{option}" for option in options)


def warning(*options: str, errors: str) -> str:
    """GitLab's warning about push options that failed, on one line."""
    quoted = " ".join(f"'{option}'" for option in options)
    return f"Error encountered with push options {quoted}: {errors}"


def unwrapped(lines: list[str]) -> tuple[str, list[str]]:
    """The text between two rules, on one line, and the lines after them."""
    first, second = (number for number, line in enumerate(lines) if line == "=" * 72)
    return " ".join(" ".join(lines[first + 1 : second]).split()), lines[second + 2 :]


def requests_from(api: Api, branch: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/projects/:p/merge_requests", source_branch=branch, state="opened")
    return found


def only_request(api: Api, branch: str) -> dict[str, Any]:
    (found,) = requests_from(api, branch)
    return found


def people_of(request: dict[str, Any]) -> list[str]:
    return [user["username"] for user in request["assignees"]]


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Work:
    return Work(sandbox, tmp_path, clone_url(sandbox, "developer"))


@pytest.fixture
def job_work(sandbox: Sandbox, maintainer: Api, tmp_path: Path) -> Work:
    maintainer.put("/projects/:p", ci_push_repository_for_job_token_allowed=True)
    return Work(sandbox, tmp_path, clone_url(sandbox, "job").replace("anyone:", "gitlab-ci-token:"))


def test_a_push_of_a_new_branch_creates_a_merge_request_and_prints_its_url(work: Work, developer: Api) -> None:
    head = work.commit("one")
    lines = work.push("one", options=(CREATE,))
    request = only_request(developer, "one")
    assert lines == ["", "View merge request for one:", request["web_url"], ""]
    assert (request["sha"], request["target_branch"], request["title"]) == (head, "main", "A change")
    assert (request["author"]["username"], people_of(request)) == ("developer", ["developer"])
    assert (request["draft"], request["squash"], request["force_remove_source_branch"]) == (False, False, False)
    assert request["labels"] == []


def test_a_merge_request_is_created_as_the_options_say(work: Work, developer: Api) -> None:
    work.commit("one")
    milestone = developer.get("/projects/:p/milestones")[0]["title"]
    work.push(
        "one",
        options=as_arguments(
            "create",
            "target=feature/verbose-flag",
            "title=Better words",
            r"description=First line\n\nThird: x=1, \t stays",
            "draft",
            "remove_source_branch",
            "squash",
            f"milestone={milestone}",
            "label=bug",
            "label=made just now",
            "label=p1",
            "unlabel=p1",
            "assign=maintainer",
            "assign=4",
            "auto_merge",
            "merge_when_pipeline_succeeds",
        ),
    )
    request = only_request(developer, "one")
    assert request["target_branch"] == "feature/verbose-flag"
    assert (request["title"], request["draft"]) == ("Draft: Better words", True)
    assert request["description"] == "First line\n\nThird: x=1, \\t stays"
    assert (request["squash"], request["force_remove_source_branch"]) == (True, True)
    assert request["milestone"]["title"] == milestone
    assert request["labels"] == ["bug", "made just now"]
    assert people_of(request) == ["maintainer"]  # without a licence there is one assignee
    assert request["merge_when_pipeline_succeeds"] is True
    assert "made just now" in [label["name"] for label in developer.get("/projects/:p/labels")]


def test_mr_is_short_for_merge_request_and_the_last_of_two_values_wins(work: Work, developer: Api) -> None:
    work.commit("one")
    work.push("one", options=("mr.create", "mr.title=Not this", "merge_request.title=This"))
    assert only_request(developer, "one")["title"] == "This"


def test_option_values_are_taken_literally(work: Work, developer: Api) -> None:
    title = "$(touch x) `touch x` \"double\" 'single' %s $HOME ; & | * \\ ünï 🙂 a=b \t."
    work.commit("one")
    work.push("one", options=as_arguments("create", f"title= {title} ", f"description={title}"))
    request = only_request(developer, "one")
    assert (request["title"], request["description"]) == (title, title)


def test_title_and_description_come_from_the_commit_or_the_newest_title(work: Work, developer: Api) -> None:
    work.commit("one", "Say it\n\nBecause.\n\nAnd why.")
    work.push("one", options=(CREATE,))
    one = only_request(developer, "one")
    assert (one["title"], one["description"]) == ("Say it", "Because.\n\nAnd why.")
    work.commit("two", "First\n\nWords.")
    work.commit("two", "Second\n\nOthers.")
    work.push("two", options=(CREATE,))
    two = only_request(developer, "two")
    assert (two["title"], two["description"]) == ("Second", None)


def test_an_open_merge_request_of_the_branch_is_changed_and_none_created(work: Work, developer: Api) -> None:
    work.commit("other")
    work.push("other")
    head = work.commit(REQUESTED)
    lines = work.push(
        REQUESTED,
        options=as_arguments(
            "create",
            "target=other",
            "title=Other words",
            r"description=One\nTwo",
            "draft",
            "squash",
            "remove_source_branch=false",
            "label=bug",
            "unlabel=feature",
            "assign=reporter",
            "unassign=developer",
        ),
    )
    request = only_request(developer, REQUESTED)
    assert lines == ["", f"View merge request for {REQUESTED}:", request["web_url"], ""]
    assert (request["iid"], request["sha"], request["target_branch"]) == (1, head, "other")
    assert (request["title"], request["description"]) == ("Draft: Other words", "One\nTwo")
    assert (request["squash"], request["force_remove_source_branch"]) == (True, False)
    assert (request["labels"], people_of(request)) == (["bug"], ["reporter"])


def test_fields_that_the_options_do_not_name_stay_unchanged(work: Work, developer: Api) -> None:
    before = developer.get(REQUEST)
    work.commit(REQUESTED)
    work.push(REQUESTED, options=(CREATE,))
    work.commit(REQUESTED)
    work.push(REQUESTED, options=as_arguments("draft"))
    after = developer.get(REQUEST)
    kept = ("description", "target_branch", "labels", "assignees", "milestone", "squash", "force_remove_source_branch")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["title"] == "Draft: Add --verbose"


def test_assignees_are_added_and_removed_by_username_or_id(work: Work, developer: Api) -> None:
    work.commit(REQUESTED)
    work.push(REQUESTED, options=as_arguments("assign=Maintainer", "assign=nobody-here", "unassign=3", "assign=99"))
    assert people_of(developer.get(REQUEST)) == ["maintainer"]
    work.commit("one")
    work.push("one", options=as_arguments("create", "assign=nobody-here", f"unassign={'9' * 5000}"))
    assert people_of(only_request(developer, "one")) == ["developer"]


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        (as_arguments("title=x"), f"{NO_CREATE} one"),
        (as_arguments("create", "target=none"), "Target branch acme/app:none does not exist"),
        (
            as_arguments("create", "target_project=acme/empty"),
            "Projects acme/app and acme/empty are not in the same network",
        ),
        (as_arguments("create", "target_project=acme/private-notes"), "User access was denied"),
        (as_arguments("create", "target_project=acme/none"), "User access was denied"),
        (as_arguments("create", "target=one"), "You must select different branches"),
        (as_arguments("create", f"title={'x' * 256}"), "Title is too long (maximum is 255 characters)"),
        (as_arguments("create", "description="), "An unknown error occurred"),
    ],
)
def test_errors_are_printed_before_the_advice_and_the_push_stays(
    work: Work, developer: Api, options: tuple[str, ...], errors: str
) -> None:
    head = work.commit("one")
    lines = work.push("one", options=options)
    warned, advice = unwrapped(lines)
    assert warned == f"WARNINGS: {warning(*options, errors=errors)}"
    assert advice[:2] == ["", "To create a merge request for one, visit:"]
    assert developer.get("/projects/:p/repository/branches/one")["commit"]["id"] == head
    assert requests_from(developer, "one") == []


def test_several_errors_share_one_warning(work: Work, developer: Api) -> None:
    work.commit("one")
    work.commit("two")
    lines = work.push("one", "two", options=("merge_request.label=bug", "ci.variable=A=b"))
    first = warning("merge_request.label=bug", "ci.variable=A=b", errors=f"{NO_CREATE} one")
    assert unwrapped(lines)[0] == f"WARNINGS: {first} {NO_CREATE} two"
    assert len(developer.get("/projects/:p/merge_requests")) == 1


def test_one_push_creates_ten_merge_requests_but_not_eleven(work: Work, developer: Api) -> None:
    work.commit("source")
    eleven = [f"source:refs/heads/b{number}" for number in range(11)]
    lines = work.push(*eleven, options=(CREATE,))
    text = warning(CREATE, errors="Too many branches pushed (11 were pushed, limit is 10)")
    assert unwrapped(lines)[0] == f"WARNINGS: {text}"
    assert len(developer.get("/projects/:p/merge_requests")) == 1
    work.commit("source")
    # The default branch, deleted branches and tags do not count.
    work.push(*eleven[:10], ":b10", "HEAD:refs/tags/t1", options=(CREATE,))
    assert len(developer.get("/projects/:p/merge_requests")) == 11


def test_the_default_branch_and_a_deleted_one_are_skipped(sandbox: Sandbox, people: People, tmp_path: Path) -> None:
    work = Work(sandbox, tmp_path, clone_url(sandbox, "maintainer"))
    work.commit("main")
    assert work.push("main", ":stale/no-commits", options=(CREATE,)) == []
    assert len(people["developer"].get("/projects/:p/merge_requests")) == 1


def test_unknown_options_are_silently_ignored(work: Work, developer: Api) -> None:
    work.commit("one")
    lines = work.push(
        "one", options=("merge_request.reviewer=maintainer", "other.create", "create", "merge_request", "Mr.create")
    )
    assert lines[1] == "To create a merge request for one, visit:"
    work.push("one:two", options=as_arguments("create", "reviewer=maintainer"))
    assert only_request(developer, "two")["reviewers"] == []


def test_the_project_itself_may_be_the_target_project(work: Work, developer: Api) -> None:
    work.commit("one")
    work.push("one", options=as_arguments("create", "target_project=acme/app"))
    assert only_request(developer, "one")["target_project_id"] == work.sandbox.project_id


def test_quick_actions_in_a_description_are_executed(work: Work, developer: Api, sandbox: Sandbox) -> None:
    work.commit("one")
    work.push("one", options=as_arguments("create", r"description=Words.\n/label ~bug\n/assign @reporter"))
    made = only_request(developer, "one")
    assert (made["description"], made["labels"]) == ("Words.", ["bug"])
    assert people_of(made) == ["reporter"]
    work.commit("one")
    work.push("one", options=as_arguments(r"description=Words.\n/close"))
    assert developer.get(f"/projects/:p/merge_requests/{made['iid']}")["state"] == "closed"
    where = f"acme/app!{made['iid']} description"
    assert [(one["command"], one["user"], one["where"]) for one in sandbox.executed_quick_actions] == [
        ("label", "developer", where),
        ("assign", "developer", where),
        ("close", "developer", where),
    ]


def test_quick_actions_in_the_message_of_the_only_commit_are_executed_too(work: Work, sandbox: Sandbox) -> None:
    work.commit("one", "Say it\n\nBecause.\n/label ~bug")
    work.push("one", options=(CREATE,))
    assert [one["command"] for one in sandbox.executed_quick_actions] == ["label"]


def test_neutralized_text_executes_nothing(work: Work, developer: Api, sandbox: Sandbox) -> None:
    work.commit("one")
    work.push("one", options=as_arguments("create", r"description=Words.\n /close\n/\n@maintainer"))
    assert only_request(developer, "one")["description"] == "Words.\n /close\n/\n@maintainer"
    assert sandbox.executed_quick_actions == []
    assert [one["username"] for one in sandbox.mentions] == ["maintainer"]


def test_a_job_creates_a_merge_request_as_the_user_of_its_pipeline(
    job_work: Work, developer: Api, sandbox: Sandbox
) -> None:
    job_work.commit("one")
    lines = job_work.push(
        "one", options=as_arguments("create", r"title=By a job", r"description=Closes #7\n/label ~docs")
    )
    request = only_request(developer, "one")
    assert lines == ["", "View merge request for one:", request["web_url"], ""]
    assert (request["author"]["username"], people_of(request)) == ("developer", ["developer"])
    assert (request["title"], request["description"], request["labels"]) == ("By a job", "Closes #7", ["docs"])
    assert [one["user"] for one in sandbox.executed_quick_actions] == ["developer"]
    job_work.commit("one")
    job_work.push("one", options=as_arguments("title=Changed by a job"))
    assert only_request(developer, "one")["title"] == "Changed by a job"


def test_a_job_may_push_to_protected_branches_only_as_its_user_may(
    job_work: Work, maintainer: Api, developer: Api
) -> None:
    job_work.commit("main")
    refused = git(job_work.path, "push", "-o", CREATE, "origin", "main", "main:one", check=False)
    assert refused.returncode != 0
    assert remote_lines(refused) == ["GitLab: You are not allowed to push code to protected branches on this project."]
    assert developer.call("GET", "/projects/:p/repository/branches/one").status_code == 404
    maintainer.put("/projects/:p/members/3", access_level=40)
    assert job_work.push("main", options=(CREATE,)) == []
    head = git(job_work.path, "rev-parse", "HEAD").stdout.strip()
    assert developer.get("/projects/:p/repository/branches/main")["commit"]["id"] == head


def test_a_push_that_changes_nothing_applies_no_options(work: Work, developer: Api) -> None:
    work.commit("one")
    work.push("one")
    assert work.push("one", options=(CREATE,)) == []
    assert requests_from(developer, "one") == []


def test_a_warning_that_repeats_a_long_option_is_complete(work: Work) -> None:
    option = f"merge_request.description={'x' * 65_000}"
    work.commit("one")
    work.commit("two")
    # Together they are longer than the longest packet of git's protocol.
    lines = work.push("one", options=(option, option))
    assert unwrapped(lines)[0] == f"WARNINGS: {warning(option, option, errors=f'{NO_CREATE} one')}"
