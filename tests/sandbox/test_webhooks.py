"""Webhooks of projects and groups: what is sent for which change, with which headers, and what failures lead to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People, clone_url, git
from tests.support.seed import SEED
from tests.support.webhook_receiver import Received, Receiver

HOOKS = "/projects/:p/hooks"
KINDS = ("note_events", "issues_events", "merge_requests_events")
ALL: dict[str, Any] = dict.fromkeys((*KINDS, "confidential_note_events", "confidential_issues_events"), True)
ISSUE, REQUEST = f"/projects/:p{SEED.crash_issue.path}", f"/projects/:p{SEED.merge_request.path}"
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def hooked(api: Api, receiver: Receiver, *, path: str = HOOKS, **more: Any) -> dict[str, Any]:
    """A new webhook for all that is sent here."""
    made: dict[str, Any] = api.post(path, url=receiver.url, **{"push_events": False, **ALL, **more})
    return made


def test_a_comment_is_sent_with_its_issue_and_the_headers_of_gitlab(
    sandbox: Sandbox, people: People, receiver: Receiver
) -> None:
    hooked(people["maintainer"], receiver, token="secret", signing_token=f"whsec_{KEY}")
    note = people["developer"].post(f"{ISSUE}/notes", body="@claude look at it")
    sent = receiver.next()
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["user-agent"] == "GitLab/19.2.0"
    assert (sent.event, sent.headers["x-gitlab-instance"]) == ("Note Hook", sandbox.url)
    assert sent.headers["x-gitlab-token"] == "secret"
    assert sent.headers["idempotency-key"] == sent.headers["webhook-id"]
    signed = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode() + sent.raw
    digest = hmac.new(base64.b64decode(KEY), signed, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"

    body, attributes = sent.body, sent.body["object_attributes"]
    assert (body["object_kind"], body["event_type"], body["project_id"]) == ("note", "note", sandbox.project_id)
    assert body["user"] == {
        "id": note["author"]["id"],
        "name": "Developer",
        "username": "developer",
        "avatar_url": None,
        "email": "[REDACTED]",
    }
    assert (body["project"]["path_with_namespace"], body["project"]["default_branch"]) == (sandbox.project, "main")
    assert (attributes["id"], attributes["note"], attributes["action"]) == (note["id"], "@claude look at it", "create")
    assert (attributes["noteable_type"], attributes["system"], attributes["internal"]) == ("Issue", False, False)
    assert attributes["created_at"].endswith(" UTC")
    assert attributes["url"].endswith(f"{SEED.crash_issue.path}#note_{note['id']}")
    assert (body["issue"]["iid"], body["issue"]["state"]) == (SEED.crash_issue.iid, "opened")
    assert [label["title"] for label in body["issue"]["labels"]] == ["bug", "p2"]


def test_without_tokens_nothing_is_signed_and_no_token_is_shown(maintainer: Api, receiver: Receiver) -> None:
    made = hooked(maintainer, receiver)
    assert (made["token_present"], made["signing_token_present"]) == (False, False)
    changed = maintainer.put(f"{HOOKS}/{made['id']}", signing_token=f"whsec_{KEY}", token="secret")
    assert (changed["token_present"], changed["signing_token_present"]) == (True, True)
    assert not {"token", "signing_token"} & set(changed)
    assert KEY not in str(changed)
    maintainer.put(f"{HOOKS}/{made['id']}", signing_token="", token="")
    maintainer.post(f"{ISSUE}/notes", body="Hello")
    assert not {"webhook-signature", "x-gitlab-token"} & set(receiver.next().headers)


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        pytest.param({"url": "nowhere"}, 422, {"error": "Invalid url given"}, id="no-url"),
        pytest.param({"url": "ftp://a/b"}, 422, {"error": "Invalid url given"}, id="ftp"),
        pytest.param(
            {"signing_token": "whsec_c2hvcnQ="}, 422, {"message": {"signing_token": ["is invalid"]}}, id="short-key"
        ),
        pytest.param({"signing_token": "plain"}, 422, {"message": {"signing_token": ["is invalid"]}}, id="no-prefix"),
    ],
)
def test_a_webhook_that_is_not_valid_is_refused(
    maintainer: Api, fields: dict[str, Any], status: int, body: object
) -> None:
    fields = {"url": "http://127.0.0.1:9/", "push_events": False, **fields}
    assert maintainer.refusal("POST", HOOKS, **fields) == (status, body)


@pytest.mark.parametrize("more", [{}, {"push_events": True}, {"push_events": False, "pipeline_events": True}], ids=str)
def test_a_webhook_for_events_that_are_not_sent_here_is_not_implemented(maintainer: Api, more: dict[str, Any]) -> None:
    assert maintainer.refusal("POST", HOOKS, url="http://127.0.0.1:9/", note_events=True, **more)[0] == 501


@pytest.mark.parametrize(("who", "status"), [("developer", 403), ("stranger", 403)])
def test_webhooks_are_for_maintainers(people: People, who: str, status: int) -> None:
    assert people[who].refusal("GET", HOOKS)[0] == status
    assert people[who].refusal("POST", HOOKS, url="http://127.0.0.1:9/", push_events=False)[0] == status


def test_a_group_webhook_is_sent_the_events_of_all_its_projects(people: People, receiver: Receiver) -> None:
    made = hooked(people["maintainer"], receiver, path="/groups/acme/hooks")
    assert "project_id" not in made
    own = hooked(people["maintainer"], receiver)
    people["developer"].post(f"{ISSUE}/notes", body="Hello")
    both = [receiver.next(), receiver.next()]
    assert both[0].raw == both[1].raw
    assert len({one.headers["idempotency-key"] for one in both}) == 2
    assert len({one.headers["x-gitlab-event-uuid"] for one in both}) == 1
    assert [one["id"] for one in people["maintainer"].get(HOOKS)] == [own["id"]]
    assert [one["id"] for one in people["maintainer"].get("/groups/acme/hooks")] == [made["id"]]
    assert people["developer"].refusal("GET", "/groups/acme/hooks")[0] == 403
    assert people["developer"].refusal("GET", "/groups/nobody/hooks")[0] == 404


@pytest.mark.parametrize(
    ("item", "fields", "wanted", "event", "kind"),
    [
        pytest.param(
            SEED.confidential_issue, {}, "confidential_note_events", "Confidential Note Hook", "confidential_note",
            id="confidential-issue",
        ),
        pytest.param(
            SEED.crash_issue, {"internal": True}, "confidential_note_events", "Confidential Note Hook",
            "confidential_note", id="internal-note",
        ),
        pytest.param(SEED.merge_request, {}, "note_events", "Note Hook", "note", id="merge-request"),
    ],
)  # fmt: skip
def test_a_comment_is_sent_only_to_webhooks_for_its_kind(
    maintainer: Api, receiver: Receiver, item: Any, fields: dict[str, Any], wanted: str, event: str, kind: str
) -> None:
    hooked(maintainer, receiver, **{**ALL, "confidential_note_events": False, "note_events": False, wanted: True})
    with Receiver() as other:
        hooked(maintainer, other, **{**ALL, wanted: False})
        maintainer.post(f"/projects/:p{item.path}/notes", body="Hello", **fields)
        # Deliveries are begun in the order of their causes.
        maintainer.put(ISSUE, title="Another title")
        assert other.next().event == "Issue Hook"
        assert other.empty
    sent = receiver.next()
    assert (sent.event, sent.body["event_type"]) == (event, kind)
    assert sent.body["object_attributes"]["internal"] == fields.get("internal", False)


def test_the_notes_of_a_review_are_of_one_request(people: People, receiver: Receiver) -> None:
    hooked(people["maintainer"], receiver)
    developer = people["developer"]
    head, base = (developer.get(REQUEST)["diff_refs"][name] for name in ("head_sha", "base_sha"))
    position = {"position_type": "text", "base_sha": base, "start_sha": base, "head_sha": head}
    position |= {"old_path": "src/app/cli.py", "new_path": "src/app/cli.py", "new_line": 14}
    developer.post(f"{REQUEST}/draft_notes", note="On a line", position=position)
    developer.post(f"{REQUEST}/draft_notes", note="On the whole")
    developer.call("POST", f"{REQUEST}/draft_notes/bulk_publish")
    sent = sorted((receiver.next(), receiver.next()), key=lambda one: str(one.body["object_attributes"]["note"]))
    whole, line = sent[1].body["object_attributes"], sent[0].body["object_attributes"]
    assert [one.event for one in sent] == ["Note Hook", "Note Hook"]
    assert len({one.headers["x-gitlab-event-uuid"] for one in sent}) == 1
    assert len({one.headers["x-gitlab-webhook-uuid"] for one in sent}) == 2
    assert len({one.headers["idempotency-key"] for one in sent}) == 2
    assert (whole["type"], whole["position"], line["type"]) == ("DiscussionNote", None, "DiffNote")
    assert line["position"]["new_line"] == 14
    assert line["line_code"].endswith("_14")
    assert sent[0].body["merge_request"]["source_branch"] == "feature/verbose-flag"


def test_an_edit_is_an_update_and_a_deletion_is_not_sent(people: People, receiver: Receiver) -> None:
    hooked(people["maintainer"], receiver)
    note = people["developer"].post(f"{ISSUE}/notes", body="One")
    people["developer"].put(f"{ISSUE}/notes/{note['id']}", body="Two")
    people["developer"].call("DELETE", f"{ISSUE}/notes/{note['id']}")
    people["developer"].post(f"{ISSUE}/notes", body="Three")
    sent = {receiver.next().body["object_attributes"]["note"] for _ in range(3)}
    assert sent == {"One", "Two", "Three"}
    assert receiver.empty


def test_system_notes_and_reactions_send_nothing(people: People, receiver: Receiver) -> None:
    hooked(people["maintainer"], receiver, issues_events=False)
    note = people["developer"].post(f"{ISSUE}/notes", body="One")
    assert receiver.next().body["object_attributes"]["note"] == "One"
    people["developer"].post(f"{ISSUE}/notes/{note['id']}/award_emoji", name="eyes")
    people["developer"].put(ISSUE, description="Another text")  # adds a system note
    people["developer"].post(f"{ISSUE}/notes", body="Two")
    assert receiver.next().body["object_attributes"]["note"] == "Two"
    assert receiver.empty


def test_a_comment_on_a_commit_is_sent_with_the_commit(developer: Api, maintainer: Api, receiver: Receiver) -> None:
    hooked(maintainer, receiver)
    sha = developer.get("/projects/:p/repository/commits/main")["id"]
    developer.post(f"/projects/:p/repository/commits/{sha}/discussions", body="@claude why?")
    body = receiver.next().body
    assert (body["object_attributes"]["noteable_type"], body["object_attributes"]["commit_id"]) == ("Commit", sha)
    assert body["object_attributes"]["noteable_id"] is None
    assert body["commit"]["id"] == sha


def labels(change: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The titles of the labels before and after a change."""
    before, after = ([label["title"] for label in change[when]] for when in ("previous", "current"))
    return before, after


def test_an_update_tells_what_it_changed(people: People, receiver: Receiver) -> None:
    hooked(people["maintainer"], receiver)
    people["developer"].put(ISSUE, add_labels="docs", assignee_ids=[people["developer"].get("/user")["id"]])
    body = receiver.next().body
    assert (body["object_kind"], body["object_attributes"]["action"]) == ("issue", "update")
    assert body["user"]["username"] == "developer"
    assert labels(body["changes"]["labels"]) == (["bug", "p2"], ["bug", "p2", "docs"])
    assert {"labels", "updated_at", "updated_by_id"} <= set(body["changes"])
    assert "title" not in body["changes"]
    assert [label["title"] for label in body["labels"]] == ["bug", "p2", "docs"]
    people["developer"].put(ISSUE, assignee_ids=[])
    changes = receiver.next().body["changes"]
    assert [user["username"] for user in changes["assignees"]["previous"]] == ["developer"]
    assert changes["assignees"]["current"] == []
    people["developer"].put(ISSUE, title="Another title")
    changes = receiver.next().body["changes"]
    assert (changes["title"]["current"], changes["last_edited_at"]["previous"]) == ("Another title", None)


def test_an_update_that_changes_nothing_sends_nothing(developer: Api, maintainer: Api, receiver: Receiver) -> None:
    hooked(maintainer, receiver)
    developer.put(ISSUE, add_labels="bug")
    developer.put(ISSUE, state_event="close")
    sent = receiver.next()
    assert sent.body["object_attributes"]["action"] == "close"
    assert sent.body["changes"]["state_id"] == {"previous": 1, "current": 2}
    assert receiver.empty


def test_quick_actions_change_behind_the_comment(developer: Api, maintainer: Api, receiver: Receiver) -> None:
    hooked(maintainer, receiver)
    developer.post(f"{ISSUE}/notes", body="Please.\n\n/label ~docs")
    sent = {one.event: one.body for one in (receiver.next(), receiver.next())}
    assert sent["Note Hook"]["object_attributes"]["note"] == "Please."
    assert labels(sent["Issue Hook"]["changes"]["labels"])[1] == ["bug", "p2", "docs"]


def test_what_a_new_issue_has_is_no_change_of_it(developer: Api, maintainer: Api, receiver: Receiver) -> None:
    """Issuable#to_hook_data: a new issue has no labels before, so that these are not among its changes."""
    hooked(maintainer, receiver)
    developer.post("/projects/:p/issues", title="New", labels="bug", description="Text\n\n/label ~docs")
    body = receiver.next().body
    assert (body["object_attributes"]["action"], "labels" in body["changes"]) == ("open", False)
    assert body["changes"]["title"] == {"previous": None, "current": "New"}
    assert [label["title"] for label in body["labels"]] == ["bug", "docs"]
    assert receiver.empty


def test_a_merge_request_is_opened_reviewed_and_merged(people: People, receiver: Receiver) -> None:
    hooked(people["maintainer"], receiver)
    developer = people["developer"]
    action = {"action": "create", "file_path": "x.txt", "content": "x\n"}
    developer.commit("topic", action, start_branch="main")
    made = developer.post("/projects/:p/merge_requests", title="X", source_branch="topic", target_branch="main")
    path = f"/projects/:p/merge_requests/{made['iid']}"
    reviewer = people["maintainer"].get("/user")["id"]
    developer.put(path, reviewer_ids=[reviewer])
    people["maintainer"].post(f"{path}/approve")
    people["maintainer"].put(f"{path}/merge")
    sent = [receiver.next() for _ in range(4)]
    bodies = {one.body["object_attributes"]["action"]: one.body for one in sent}
    assert {one.event for one in sent} == {"Merge Request Hook"}
    assert set(bodies) == {"open", "update", "approved", "merge"}
    reviewers = bodies["update"]["changes"]["reviewers"]
    assert (reviewers["previous"], [one["username"] for one in reviewers["current"]]) == ([], ["maintainer"])
    assert bodies["open"]["object_attributes"]["last_commit"]["id"] == made["sha"]
    assert bodies["merge"]["object_attributes"]["state"] == "merged"


def test_a_push_updates_the_merge_request_of_its_branch(
    sandbox: Sandbox, maintainer: Api, receiver: Receiver, tmp_path: Any
) -> None:
    hooked(maintainer, receiver)
    git(tmp_path, "clone", "--quiet", "--branch", "feature/verbose-flag", clone_url(sandbox, "developer"), "app")
    before = git(tmp_path / "app", "rev-parse", "HEAD").stdout.strip()
    git(tmp_path / "app", "commit", "--quiet", "--allow-empty", "--message", "More")
    git(tmp_path / "app", "push", "--quiet")
    attributes = receiver.next().body["object_attributes"]
    assert (attributes["action"], attributes["oldrev"]) == ("update", before)


def test_four_failures_in_a_row_disable_a_webhook(maintainer: Api, receiver: Receiver) -> None:
    """app/models/concerns/web_hooks/auto_disabling.rb; GitLab delivers nothing again by itself."""
    receiver.status = 500
    made = hooked(maintainer, receiver)
    path = f"{HOOKS}/{made['id']}"
    for number in range(1, 5):
        assert maintainer.get(path)["alert_status"] == "executable"
        maintainer.post(f"{ISSUE}/notes", body=f"Number {number}")
        receiver.next()
        settled(maintainer, path, number)
    disabled = maintainer.get(path)
    assert (disabled["alert_status"], disabled["disabled_until"] is None) == ("temporarily_disabled", False)
    maintainer.post(f"{ISSUE}/notes", body="Number 5")
    log = maintainer.get(f"{path}/events")
    assert [one["response_status"] for one in log] == ["500"] * 4
    assert maintainer.get(f"{path}/events", status="successful") == []

    # A person sends one again, which is received: then the webhook works again.
    receiver.status = 200
    assert maintainer.post(f"{path}/events/{log[0]['id']}/resend") == {"response_status": "200"}
    again = receiver.next()
    assert again.body["object_attributes"]["note"] == "Number 4"
    assert again.headers["idempotency-key"] == log[0]["request_headers"]["Idempotency-Key"]
    assert again.headers["x-gitlab-webhook-uuid"] != log[0]["request_headers"]["X-Gitlab-Webhook-UUID"]
    assert maintainer.get(path)["alert_status"] == "executable"
    maintainer.post(f"{ISSUE}/notes", body="Number 6")
    assert receiver.next().body["object_attributes"]["note"] == "Number 6"
    assert receiver.empty


def settled(api: Api, path: str, count: int) -> list[dict[str, Any]]:
    """The log of a webhook, once it has so many entries."""
    for _ in range(10_000):
        if len(log := api.get(f"{path}/events")) >= count:
            break
    assert len(log) == count
    return list(log)


def test_a_receiver_that_takes_too_long_is_a_failure() -> None:
    released = threading.Event()
    with (
        Sandbox(webhook_timeout=0.2) as sandbox,
        Receiver(before=released.wait) as slow,
    ):
        api = Api(sandbox, "maintainer")
        path = f"{HOOKS}/{hooked(api, slow)['id']}"
        api.post(f"{ISSUE}/notes", body="Hello")
        assert settled(api, path, 1)[0]["response_status"] == "internal error"
        released.set()
        api.session.close()


def test_a_sandbox_ends_while_a_receiver_does_not_answer() -> None:
    released = threading.Event()
    with Receiver(before=released.wait) as slow:
        with Sandbox() as sandbox:
            api = Api(sandbox, "maintainer")
            hooked(api, slow)
            api.post(f"{ISSUE}/notes", body="Hello")
            received: Received = slow.next()
            api.session.close()
        assert received.event == "Note Hook"
        assert [thread for thread in threading.enumerate() if thread.name == "sandbox-webhooks"] == []
        released.set()


def test_a_webhook_is_listed_changed_and_deleted(maintainer: Api, receiver: Receiver) -> None:
    made = hooked(maintainer, receiver, custom_headers=[{"key": "X-Mine", "value": "yes"}], name="Mentions")
    assert (made["name"], made["custom_headers"]) == ("Mentions", [{"key": "X-Mine"}])
    path = f"{HOOKS}/{made['id']}"
    assert maintainer.get(path) == made
    assert maintainer.put(path, note_events=False)["note_events"] is False
    maintainer.post(f"{ISSUE}/notes", body="Hello")
    maintainer.put(path, note_events=True, url=f"{receiver.url}/other")
    maintainer.post(f"{ISSUE}/notes", body="Again")
    sent = receiver.next()
    assert (sent.body["object_attributes"]["note"], sent.headers["x-mine"]) == ("Again", "yes")
    assert maintainer.call("DELETE", path).status_code == 204
    assert maintainer.refusal("GET", path)[0] == 404
    assert maintainer.get(HOOKS) == []
