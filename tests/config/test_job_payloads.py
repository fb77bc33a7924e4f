"""What a webhook's body and GitLab's own context say of the thing that a run is about, and of which project it is."""

import json
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.job_context import JobContext, read_job

JOB = {
    "GITLAB_CI": "true",
    "CI_PIPELINE_ID": "501",
    "CI_PIPELINE_SOURCE": "trigger",
    "CI_PROJECT_ID": "1",
    "CI_PROJECT_PATH": "acme/app",
    "CI_COMMIT_BRANCH": "main",
    "CI_SERVER_URL": "https://gitlab.example.com",
    "GITLAB_USER_LOGIN": "developer",
}
RELATIVE = {**JOB, "CI_SERVER_URL": "https://example.com/gitlab"}
MERGE_REQUEST = {
    "CI_MERGE_REQUEST_IID": "12",
    "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix-7",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_TITLE": "A title",
}
DISCUSSION = "6a9c1750b37d513a43987b574953fceb50b03ce7"
PROJECT = {"id": 1, "path_with_namespace": "acme/app", "web_url": "https://gitlab.example.com/acme/app"}
ISSUE = {"iid": 7, "id": 700, "title": "Crash", "description": "It crashes.", "project_id": 1}
CHANGE = {"iid": 3, "title": "Fix", "source_branch": "fix", "target_branch": "dev", "target_project_id": 1}
NOTE_HOOK: dict[str, Any] = {
    "object_kind": "note",
    "event_type": "note",
    "user": {"username": "reporter"},
    "project_id": 1,
    "project": PROJECT,
    "object_attributes": {"note": "@claude fix this", "noteable_type": "Issue", "discussion_id": DISCUSSION},
    "issue": ISSUE,
}
# https://docs.gitlab.com/user/project/integrations/webhook_events/
OTHER_HOOKS: dict[str, dict[str, Any]] = {
    "Issue Hook": {
        "object_kind": "issue",
        "user": {"username": "reporter"},
        "project": PROJECT,
        "object_attributes": {**ISSUE, "action": "open", "note": "x", "noteable_type": "Issue"},
    },
    "Merge Request Hook": {
        "object_kind": "merge_request",
        "user": {"username": "reporter"},
        "project": PROJECT,
        "object_attributes": {**CHANGE, "action": "open", "note": "x", "noteable_type": "MergeRequest"},
        "merge_request": CHANGE,
    },
    "Push Hook": {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "user_username": "reporter",
        "project_id": 1,
        "project": PROJECT,
        "commits": [{"id": "0" * 40, "message": "A message", "title": "A title"}],
    },
    "Pipeline Hook": {"object_kind": "pipeline", "object_attributes": {"id": 5, "iid": 9}, "merge_request": CHANGE},
    "no kind": {key: value for key, value in NOTE_HOOK.items() if key != "object_kind"},
    "a kind that is no text": {**NOTE_HOOK, "object_kind": ["note"]},
    "a note without a note": {**NOTE_HOOK, "object_attributes": None},
}


def job(environ: dict[str, str] = JOB, /, **more: str) -> JobContext:
    return read_job({**environ, **more})


def hook(**changes: Any) -> str:
    return json.dumps({**NOTE_HOOK, **changes})


@pytest.mark.parametrize("body", OTHER_HOOKS.values(), ids=list(OTHER_HOOKS))
@pytest.mark.parametrize("environ", [JOB, {**JOB, **MERGE_REQUEST}], ids=["branch", "merge request"])
def test_a_webhook_that_tells_of_no_comment_changes_nothing(body: dict[str, Any], environ: dict[str, str]) -> None:
    assert job(environ, TRIGGER_PAYLOAD=json.dumps(body)) == job(environ)


def test_a_comment_on_an_issue_is_what_the_run_is_about() -> None:
    assert job(TRIGGER_PAYLOAD=hook()) == JobContext(
        event="mention",
        noun="issue",
        iid=7,
        discussion=DISCUSSION,
        asked_by="reporter",
        pipeline="501",
        source="trigger",
        input="@claude fix this",
        title="Crash",
        description="It crashes.",
        branch="main",
    )


def test_a_comment_on_a_merge_request_is_what_the_run_is_about() -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "noteable_type": "MergeRequest"}
    found = job(TRIGGER_PAYLOAD=hook(object_attributes=attributes, merge_request=CHANGE))
    assert (found.sign, found.title, found.branch, found.target_branch) == ("!3", "Fix", "fix", "dev")
    assert (found.foreign, found.discussion) == (False, DISCUSSION)


@pytest.mark.parametrize(("source", "foreign"), [(1, False), (2, True), (None, False)], ids=["own", "fork", "not said"])
def test_a_merge_request_of_a_fork_is_foreign(source: int | None, foreign: bool) -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "noteable_type": "MergeRequest"}
    change = {**CHANGE, "source_project_id": source}
    assert job(TRIGGER_PAYLOAD=hook(object_attributes=attributes, merge_request=change)).foreign is foreign


@pytest.mark.parametrize(("value", "known"), [(12, 12), ("12", 12), ("x", 0), ([12], 0), (-1, 0)])
def test_a_run_on_an_issue_goes_on_with_the_merge_request_that_is_named(value: object, known: int) -> None:
    assert job(TRIGGER_PAYLOAD=hook(issue={**ISSUE, "continues": value})).continues == known
    context = json.dumps({"iid": 7, "project_id": 1, "continues": value})
    assert job(AI_FLOW_CONTEXT=context).continues == known


@pytest.mark.parametrize("kind", ["Commit", "Snippet"])
def test_a_comment_on_a_commit_or_snippet_is_of_no_issue(kind: str) -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "noteable_type": kind}
    body = {**NOTE_HOOK, "object_attributes": attributes}
    del body["issue"]
    found = job(TRIGGER_PAYLOAD=json.dumps(body))
    assert (found.noun, found.iid, found.discussion) == (None, 0, "")
    assert (found.event, found.asked_by, found.input) == ("mention", "reporter", "@claude fix this")


OWN_ADDRESSES = [
    (JOB, "https://gitlab.example.com/acme/app/-/issues/7"),
    (JOB, "https://gitlab.example.com/Acme/App/-/issues/7#note_1"),
    (JOB, "/acme/app/-/issues/7"),
    (RELATIVE, "https://example.com/gitlab/acme/app/-/issues/7"),
    (RELATIVE, "/gitlab/acme/app/-/work_items/7"),
    (RELATIVE, "/acme/app/-/issues/7"),
    ({**RELATIVE, "CI_SERVER_URL": "https://example.com/gitlab/"}, "https://example.com/gitlab/acme/app/-/issues/7"),
]
OTHER_ADDRESSES = [
    (JOB, "https://gitlab.example.com/other/app/-/issues/7"),
    (JOB, "https://gitlab.example.com/acme/app2/-/issues/7"),
    (JOB, "https://gitlab.example.com/bigacme/app/-/issues/7"),
    (JOB, "https://gitlab.example.com/team/acme/app/-/issues/7"),
    (JOB, "https://gitlab.example.com/acme/app/sub/-/issues/7"),
    (JOB, "/team/acme/app/-/issues/7"),
    (RELATIVE, "https://example.com/gitlab/other/app/-/issues/7"),
    (RELATIVE, "https://example.com/gitlab/team/acme/app/-/issues/7"),
    (RELATIVE, "https://example.com/team/acme/app/-/issues/7"),
]


@pytest.mark.parametrize(("environ", "address"), OWN_ADDRESSES)
def test_an_address_in_the_jobs_own_project(environ: dict[str, str], address: str) -> None:
    flat = json.dumps({"iid": 7, "issue_comments": "", "web_url": address})
    assert job(environ, AI_FLOW_CONTEXT=flat).sign == "#7"
    attributes = {**NOTE_HOOK["object_attributes"], "url": address}
    body = hook(object_attributes=attributes, project={}, project_id=None, issue={"iid": 7})
    assert job(environ, TRIGGER_PAYLOAD=body).sign == "#7"


@pytest.mark.parametrize(("environ", "address"), OTHER_ADDRESSES)
def test_an_address_in_another_project(environ: dict[str, str], address: str) -> None:
    flat = json.dumps({"iid": 7, "issue_comments": "", "web_url": address, "title": "T"})
    found = job(environ, AI_FLOW_CONTEXT=flat)
    assert (found.sign, found.title) == ("", "T")
    attributes = {**NOTE_HOOK["object_attributes"], "url": address}
    body = hook(object_attributes=attributes, project={}, project_id=None, issue={"iid": 7})
    assert job(environ, TRIGGER_PAYLOAD=body).sign == ""


@pytest.mark.parametrize("name", ["project_id", "target_project_id", "path_with_namespace", "full_path"])
def test_each_name_of_another_project_counts(name: str) -> None:
    own, other = (1, 2) if name.endswith("_id") else ("acme/app", "team/acme/app")
    context = {"iid": 7, "issue_comments": "", "title": "T"}
    project = {"AI_FLOW_PROJECT_PATH": str(other)} if name == "full_path" else {}
    assert job(AI_FLOW_CONTEXT=json.dumps({**context, name: own})).sign == "#7"
    assert job(AI_FLOW_CONTEXT=json.dumps({**context, name: other}), **project).sign == ""


def test_a_relative_url_and_a_webhook_name_the_same_project() -> None:
    project = {**PROJECT, "web_url": "https://example.com/gitlab/acme/app"}
    attributes = {**NOTE_HOOK["object_attributes"], "url": "https://example.com/gitlab/acme/app/-/issues/7#note_5"}
    found = job(RELATIVE, TRIGGER_PAYLOAD=hook(project=project, object_attributes=attributes))
    assert (found.sign, found.discussion) == ("#7", DISCUSSION)


def test_a_pipe_as_the_webhooks_body_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "payload"
    os.mkfifo(pipe)
    found: list[JobContext] = []
    reading = threading.Thread(target=lambda: found.append(job(TRIGGER_PAYLOAD=str(pipe))), daemon=True)
    reading.start()
    reading.join(20)
    waited = reading.is_alive()
    if waited:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # so that it ends
    assert not waited
    assert found == [job()]


def test_the_webhooks_body_is_a_file_or_the_text_itself(tmp_path: Path) -> None:
    file = tmp_path / "payload"
    file.write_text(hook())
    assert job(TRIGGER_PAYLOAD=str(file)) == job(TRIGGER_PAYLOAD=hook()) == job(TRIGGER_PAYLOAD=f" \n{hook()}\n")
    link = tmp_path / "link"
    link.symlink_to(file)
    assert job(TRIGGER_PAYLOAD=str(link)).sign == "#7"
    file.write_bytes(hook().encode().replace(b"Crash", b"Cr\xffsh"))
    assert job(TRIGGER_PAYLOAD=str(file)).title == "Cr\ufffdsh"


@pytest.mark.parametrize(
    ("more", "sign"), [({"issue_comments": ""}, "#12"), ({"diff": ""}, "!12")], ids=["issue", "merge request"]
)
@pytest.mark.parametrize("iid", [12, "12"])
def test_a_number_may_be_text(more: dict[str, str], sign: str, iid: object) -> None:
    assert job(AI_FLOW_CONTEXT=json.dumps({"iid": iid, **more})).sign == sign


@pytest.mark.parametrize("iid", [0, -1, 1.5, True, None, "", "0x7", "-7", "7 ", "\u0667", 10**18, "9" * 19, [7]])
def test_what_is_no_number_is_left_out(iid: object) -> None:
    found = job(AI_FLOW_CONTEXT=json.dumps({"iid": iid, "issue_comments": ""}))
    assert (found.noun, found.iid) == (None, 0)


@pytest.mark.parametrize(
    ("name", "kept"), [("a.b-c_d", True), ("-a", False), ("a b", False), ("é", False), ("a" * 65, False)]
)
def test_a_username_has_gitlabs_form_or_is_left_out(name: str, kept: bool) -> None:
    assert job(TRIGGER_PAYLOAD=hook(user={"username": name})).asked_by == (name if kept else "developer")


@pytest.mark.parametrize("name", ["fix 7", "-fix", "fix\n7", "a" * 256, "fix\\7", "../x"])
def test_a_branch_that_git_would_refuse_is_left_out(name: str) -> None:
    context = {"iid": 3, "source_branch": name, "target_branch": name, "diff": ""}
    found = job(AI_FLOW_CONTEXT=json.dumps(context))
    assert (found.sign, found.branch, found.target_branch) == ("!3", "", "")


@pytest.mark.parametrize(
    ("listed", "sign"),
    [
        ("acme/app!4", "!4"),
        ("Acme/App!4", "!4"),
        ("acme/app!4,acme/app!5", ""),
        ("team/acme/app!4", ""),
        ("acme/app!0", ""),
        ("acme/app!x", ""),
        ("acme/app", ""),
    ],
)
def test_the_only_open_merge_request_of_the_branch(listed: str, sign: str) -> None:
    found = job(CI_OPEN_MERGE_REQUESTS=listed)
    assert (found.sign, found.branch) == (sign, "main")


def test_a_flows_input_precedes_the_webhook_and_its_author_the_pipelines_user() -> None:
    found = job(TRIGGER_PAYLOAD=hook(), AI_FLOW_INPUT="do it", AI_FLOW_EVENT="assign", AI_FLOW_DISCUSSION_ID="0" * 40)
    assert (found.input, found.event, found.discussion, found.asked_by) == ("do it", "assign", "0" * 40, "reporter")
    assert job(TRIGGER_PAYLOAD=hook(), AI_FLOW_EVENT="unknown").event == "mention"
    assert job(AI_FLOW_EVENT="MENTION").event == "mention"
    gid = f"gid://gitlab/Discussion/{DISCUSSION}"
    about = json.dumps({"iid": 7, "issue_comments": ""})
    assert job(AI_FLOW_CONTEXT=about, AI_FLOW_DISCUSSION_ID=gid).discussion == DISCUSSION
    assert job(AI_FLOW_CONTEXT=about, AI_FLOW_DISCUSSION_ID="0" * 39).discussion == ""


@pytest.mark.parametrize(
    "comments", [["a", "b"], [{"note": "a"}, {"body": "b"}], "a\n\nb"], ids=["texts", "objects", "one text"]
)
def test_comments_come_as_one_text_or_a_list(comments: object) -> None:
    assert job(AI_FLOW_CONTEXT=json.dumps({"iid": 7, "issue_comments": comments})).comments == "a\n\nb"
    assert job(AI_FLOW_CONTEXT=json.dumps({"iid": 7, "diff": "d", "mr_comments": comments})).comments == "a\n\nb"


def test_the_merge_request_of_a_fork_pipeline_keeps_its_project() -> None:
    environ = {**JOB, **MERGE_REQUEST, "CI_MERGE_REQUEST_PROJECT_ID": "50"}
    context = json.dumps({"iid": 12, "diff": "d", "target_project_id": 50, "title": "T"})
    found = job(environ, AI_FLOW_CONTEXT=context)
    assert (found.sign, found.project_id, found.title, found.diff) == ("!12", "50", "T", "d")
    other = json.dumps({"iid": 13, "diff": "d", "target_project_id": 50, "title": "T"})
    assert job(environ, AI_FLOW_CONTEXT=other).sign == ""


def test_the_project_id_of_the_webhook_itself_counts() -> None:
    for project_id, sign in ((1, "#7"), (2, "")):
        assert job(TRIGGER_PAYLOAD=hook(project={}, project_id=project_id, issue={"iid": 7})).sign == sign


IN_MERGE_REQUEST = {**{name: value for name, value in JOB.items() if name != "CI_COMMIT_BRANCH"}, **MERGE_REQUEST}


def test_what_the_context_lacks_about_the_merge_request_comes_from_the_pipeline() -> None:
    environ = {**IN_MERGE_REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9"}
    found = job(environ, AI_FLOW_CONTEXT=json.dumps({"iid": 12, "diff": "d"}))
    assert (found.sign, found.branch, found.target_branch, found.foreign) == ("!12", "fix-7", "main", True)


@pytest.mark.parametrize("context", [{"iid": 13, "diff": "d"}, {"iid": 12, "issue_comments": ""}])
def test_nothing_that_the_pipeline_knows_is_told_of_something_else(context: dict[str, Any]) -> None:
    environ = {**IN_MERGE_REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9"}
    found = job(environ, AI_FLOW_CONTEXT=json.dumps(context))
    assert (found.branch, found.target_branch, found.foreign) == ("", "", False)


def test_what_the_context_says_goes_before_what_the_pipeline_knows() -> None:
    context = {"iid": 12, "source_branch": "b", "target_branch": "t", "source_project_id": 1, "target_project_id": 1}
    found = job(IN_MERGE_REQUEST, AI_FLOW_CONTEXT=json.dumps(context))
    assert (found.sign, found.branch, found.target_branch, found.foreign) == ("!12", "b", "t", False)


def test_a_discussion_belongs_to_what_the_run_surely_is_about() -> None:
    assert job(IN_MERGE_REQUEST, AI_FLOW_DISCUSSION_ID=DISCUSSION).discussion == DISCUSSION
    assert job(AI_FLOW_DISCUSSION_ID=DISCUSSION).discussion == ""
    assert job(CI_OPEN_MERGE_REQUESTS="acme/app!4", AI_FLOW_DISCUSSION_ID=DISCUSSION).discussion == ""


@pytest.mark.parametrize("name", ["CI_PIPELINE_ID", "CI_MERGE_REQUEST_PROJECT_ID"])
@pytest.mark.parametrize("value", ["\u0667", "7\n8", "-7", "7x", "9" * 19])
def test_an_id_is_a_number_in_ascii_digits(name: str, value: str) -> None:
    found = job(IN_MERGE_REQUEST, **{name: value})
    assert (found.pipeline if name == "CI_PIPELINE_ID" else found.project_id) == ""


def test_an_issue_is_not_the_merge_request_of_the_same_number() -> None:
    environ = {**IN_MERGE_REQUEST, "CI_MERGE_REQUEST_PROJECT_ID": "50"}
    found = job(environ, AI_FLOW_CONTEXT=json.dumps({"iid": 12, "issue_comments": ""}))
    assert (found.sign, found.project_id) == ("#12", "")


@pytest.mark.parametrize(("source", "foreign"), [("1", False), ("9", True), ("", False)])
def test_a_merge_request_from_another_project_is_foreign(source: str, foreign: bool) -> None:
    assert job(IN_MERGE_REQUEST, CI_MERGE_REQUEST_SOURCE_PROJECT_ID=source).foreign is foreign


ASKED_AT = "2026-11-28T09:30:00+00:00"


@pytest.mark.parametrize(
    "written", ["2026-11-28 09:30:00 UTC", "2026-11-28T09:30:00Z", "2026-11-28T10:30:00+01:00"], ids=str
)
def test_the_comment_of_a_hook_has_an_id_and_a_time(written: str) -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "id": 5, "created_at": written}
    found = job(TRIGGER_PAYLOAD=json.dumps({**NOTE_HOOK, "object_attributes": attributes}))
    assert (found.note, datetime.fromisoformat(found.asked_at)) == (5, datetime.fromisoformat(ASKED_AT))


def test_the_time_of_the_run_goes_before_that_of_the_hook_also_locally() -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "created_at": "2026-11-28 08:00:00 UTC"}
    hook = json.dumps({**NOTE_HOOK, "object_attributes": attributes})
    assert job(TRIGGER_PAYLOAD=hook, GITLAB_MCP_ASKED_AT=ASKED_AT).asked_at == ASKED_AT
    assert read_job({"GITLAB_MCP_ASKED_AT": ASKED_AT}).asked_at == ASKED_AT


@pytest.mark.parametrize("text", ["yesterday", "2026-11-28T09:30:00", "", "9", "2026-11-28 09:30:00 UTC\nx"])
def test_what_is_not_a_time_with_a_zone_is_left_out(text: str) -> None:
    assert job(GITLAB_MCP_ASKED_AT=text).asked_at == ""


def test_the_id_of_a_comment_in_another_project_is_left_out() -> None:
    attributes = {**NOTE_HOOK["object_attributes"], "id": 5}
    other = {**NOTE_HOOK, "project": {**PROJECT, "id": 2, "path_with_namespace": "acme/other"}, "project_id": 2}
    assert job(TRIGGER_PAYLOAD=json.dumps({**other, "object_attributes": attributes})).note == 0
