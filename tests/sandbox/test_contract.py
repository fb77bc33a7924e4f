"""Every route of the sandbox is called, and its response checked against GitLab's REST contract."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.http.routing import all_routes
from tests.contract.contract import Contract
from tests.sandbox.conftest import Api

CONTRACT = Contract()
ISSUE = "/projects/:id/issues/:issue_iid"
REQUEST = "/projects/:id/merge_requests/:merge_request_iid"
UPLOADS = "/projects/:id/uploads"
IN_A_MONTH = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
REPOSITORY = "/projects/:id/repository"
# Fields that a GitLab without a licence, without CI or without the option leaves out.
ABSENT = {
    "Issue": {"weight", "epic_iid", "epic", "iteration", "health_status"},
    "MergeRequest": {"approvals_before_merge", "rebase_in_progress", "diverged_commits_count"},
    "Note": {"commit_id", "position", "suggestions", "resolved", "resolved_by", "resolved_at"},
}


class Walk:
    """Calls routes by their templates and records the responses."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.apis = {who: Api(sandbox, who) for who in ("maintainer", "developer")}
        self.seen: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    def __call__(self, method: str, template: str, /, *values: object, who: str = "maintainer", **body: Any) -> Any:
        """Call a route with the values of its parameters (the project's number comes by itself) and hold its answer."""
        self.seen.add((method, template))
        given = iter(values)
        path = template.replace("/:id", "/1", 1) if template.startswith("/projects/:id") else template
        path = re.sub(r"[:*]\w+", lambda _: str(next(given)), path)
        api = self.apis[who]
        options = {"params": body} if method in ("GET", "DELETE") else {"json": body}
        response = api.call(method, path, **options)
        self.hold(method, template, response)
        if response.headers.get("content-type", "") != "application/json" or not response.content:
            return None
        return response.json()

    def hold(self, method: str, template: str, response: requests.Response) -> None:
        """Note what is wrong with an answer."""
        name = f"{method} {template}"
        expected = CONTRACT.find(method, template)
        if expected is None:
            self.faults.append(f"{name}: no entry in the contract or its additions")
            return
        if response.status_code >= 300 or expected.status not in (None, response.status_code):
            self.faults.append(f"{name}: {response.status_code} instead of {expected.status}: {response.text[:300]}")
            return
        if expected.entity in (None, "raw"):
            return
        value = response.json()
        if expected.array is not None and isinstance(value, list) != expected.array:
            self.faults.append(f"{name}: a list or not: {response.text[:100]}")
            return
        values = value if isinstance(value, list) else [value]
        for one in values:
            self.faults += [f"{name}: {fault}" for fault in CONTRACT.faults(one, str(expected.entity))]


def test_every_route_responds_as_the_contract_says(sandbox: Sandbox) -> None:
    walk = Walk(sandbox)
    people_and_projects(walk)
    administration(walk)
    repositories(walk)
    pipelines(walk)
    triggers(walk)
    issues(walk)
    merge_requests(walk)
    notes(walk, "issues", 7)
    notes(walk, "merge_requests", 1)
    uploads(walk)
    webhooks(walk)
    for api in walk.apis.values():
        api.session.close()
    missed = {(route.method, route.template) for route in all_routes()} - walk.seen
    assert not walk.faults, "\n".join(walk.faults)
    assert missed == set()
    # A field that GitLab fills where there is something to tell has a value somewhere in the walk.
    assert [fields for fields in CONTRACT.sometimes if not fields & CONTRACT.with_value] == []


def people_and_projects(walk: Walk) -> None:
    for template in ("/version", "/metadata", "/user", "/users", "/personal_access_tokens/self", "/projects"):
        walk("GET", template)
    for template in ("/issues", "/merge_requests", "/todos"):
        walk("GET", template)
    walk("GET", "/projects/:id/releases")
    walk("POST", "/projects/:id/releases", tag_name="v8", ref="main", description="Eight")
    walk("GET", "/projects/:id/releases/:tag_name", "v8")
    walk("PUT", "/projects/:id/releases/:tag_name", "v8", name="Eight")
    walk("DELETE", "/projects/:id/releases/:tag_name", "v8")
    walk("GET", "/projects/:id/wikis", with_content=True)
    walk("POST", "/projects/:id/wikis", title="New page", content="New")
    walk("GET", "/projects/:id/wikis/:slug", "New-page")
    walk("GET", "/users/:user_id", 3)
    walk("GET", "/projects/:id")
    walk("PUT", "/projects/:id", description="changed")
    walk("POST", "/projects/:id/archive")
    walk("POST", "/projects/:id/unarchive")
    made = walk("POST", "/projects", name="new", initialize_with_readme=True)
    walk.seen.add(("DELETE", "/projects/:id"))
    walk.hold("DELETE", "/projects/:id", walk.apis["maintainer"].call("DELETE", f"/projects/{made['id']}"))
    for part in ("members", "members/all", "labels", "milestones"):
        walk("GET", f"/projects/:id/{part}")
    walk("POST", "/projects/:id/members", user_id=5, access_level=20)
    walk("PUT", "/projects/:id/members/:user_id", 5, access_level=10)
    walk("GET", "/projects/:id/members/:user_id", 5)
    walk("GET", "/projects/:id/members/all/:user_id", 5)
    walk("DELETE", "/projects/:id/members/:user_id", 5)
    walk("POST", "/projects/:id/labels", name="new", color="#123456")
    walk("GET", "/projects/:id/labels/:name", "new")
    walk("PUT", "/projects/:id/labels/:name", "new", new_name="newer")
    walk("PUT", "/projects/:id/labels", name="newer", description="changed")
    walk("DELETE", "/projects/:id/labels/:name", "newer")
    milestone = walk("POST", "/projects/:id/milestones", title="2.0", due_date="2030-01-01")
    walk("GET", "/projects/:id/milestones/:milestone_id", milestone["id"])
    walk("PUT", "/projects/:id/milestones/:milestone_id", milestone["id"], state_event="close")
    walk("DELETE", "/projects/:id/milestones/:milestone_id", milestone["id"])
    seeded = walk("GET", "/projects/:id/milestones")[0]["id"]
    walk("GET", "/projects/:id/milestones/:milestone_id/issues", seeded)
    walk("GET", "/projects/:id/milestones/:milestone_id/merge_requests", seeded)


def administration(walk: Walk) -> None:
    variables = "/projects/:id/variables"
    walk("POST", variables, key="PLAIN", value="x", description="Nothing secret")
    walk("POST", variables, key="SECRET", value="12345678", masked_and_hidden=True)
    walk("GET", variables)
    walk("GET", f"{variables}/:key", "PLAIN")
    walk("PUT", f"{variables}/:key", "PLAIN", value="y")
    walk("DELETE", f"{variables}/:key", "PLAIN")
    tokens = "/projects/:id/access_tokens"
    token = walk("POST", tokens, name="bot", scopes=["api"], expires_at=IN_A_MONTH, access_level=30)
    walk("GET", tokens)
    walk("GET", f"{tokens}/:token_id", token["id"])
    rotated = walk("POST", f"{tokens}/:token_id/rotate", token["id"])
    walk.seen.add(("POST", f"{tokens}/self/rotate"))
    headers = {"PRIVATE-TOKEN": rotated["token"]}
    own = walk.apis["maintainer"].call("POST", "/projects/1/access_tokens/self/rotate", headers=headers)
    walk.hold("POST", f"{tokens}/self/rotate", own)
    walk("DELETE", f"{tokens}/:token_id", own.json()["id"])
    walk("GET", "/namespaces/:namespace_id", "acme")
    walk("GET", "/projects/:id/runners", status="online")
    scope = "/projects/:id/job_token_scope"
    walk("GET", scope)
    walk("PATCH", scope, enabled=True)
    walk("POST", f"{scope}/allowlist", target_project_id=2)
    walk("GET", f"{scope}/allowlist")
    walk("DELETE", f"{scope}/allowlist/:target_project_id", 2)
    packages = "/projects/:id/packages"
    generic = f"{packages}/generic/:package_name/:package_version/:file_name"
    walk("PUT", generic, "server", "1.0", "server.whl")
    walk("GET", generic, "server", "1.0", "server.whl")
    package = walk("GET", packages)[0]["id"]
    walk("GET", f"{packages}/:package_id", package)
    file = walk("GET", f"{packages}/:package_id/package_files", package)[0]["id"]
    walk("DELETE", f"{packages}/:package_id/package_files/:package_file_id", package, file)
    walk("DELETE", f"{packages}/:package_id", package)


def pipelines(walk: Walk) -> None:
    *_, one = walk("GET", "/projects/:id/pipelines")
    walk("GET", "/projects/:id/pipelines/:pipeline_id", one["id"])
    jobs = walk("GET", "/projects/:id/pipelines/:pipeline_id/jobs", one["id"])
    assert [job["id"] for job in walk("GET", "/projects/:id/jobs")] == [job["id"] for job in jobs]
    walk("GET", "/projects/:id/jobs/:job_id", jobs[0]["id"])
    walk.seen.add(("GET", "/job"))
    api = walk.apis["maintainer"]
    headers = {"PRIVATE-TOKEN": "", "JOB-TOKEN": api.sandbox.tokens["job"]}
    walk.hold("GET", "/job", api.call("GET", "/job", headers=headers))
    failed = api.sandbox.fail_pipeline("stale/no-commits")
    walk("GET", "/projects/:id/pipelines/:pipeline_id", failed.id)
    shown = walk("GET", "/projects/:id/pipelines/:pipeline_id/jobs", failed.id)
    assert [job["name"] for job in shown] == ["unit", "release", "types", "lint", "compile"]
    walk("GET", "/projects/:id/jobs/:job_id/trace", shown[0]["id"])
    walk("GET", "/projects/:id/pipelines/:pipeline_id/test_report", failed.id)
    walk("GET", "/projects/:id/pipelines/:pipeline_id/test_report_summary", failed.id)
    walk("POST", "/projects/:id/jobs/:job_id/retry", shown[0]["id"])
    made = walk("POST", "/projects/:id/pipeline", ref="main")
    walk("POST", "/projects/:id/pipelines/:pipeline_id/cancel", made["id"])
    walk("POST", "/projects/:id/pipelines/:pipeline_id/retry", made["id"])
    walk("GET", "/projects/:id/pipelines/:pipeline_id/variables", made["id"])
    walk("GET", "/projects/:id/pipelines/latest")
    walk("DELETE", "/projects/:id/pipelines/:pipeline_id", made["id"])
    artifacts = "/projects/:id/jobs/:job_id/artifacts"
    walk("GET", artifacts, shown[0]["id"])
    walk("GET", f"{artifacts}/*artifact_path", shown[0]["id"], "coverage/index.html")
    failed.status, failed.jobs[-1].state = "success", "success"
    failed.jobs[-1].artifacts = {"a.txt": b"a"}
    latest = "/projects/:id/jobs/artifacts/:ref_name"
    walk("GET", f"{latest}/download", "stale%2Fno-commits", job="unit")
    walk("GET", f"{latest}/raw/*artifact_path", "stale%2Fno-commits", "a.txt", job="unit")
    walk("GET", "/projects/:id/ci/lint", include_jobs=True)
    walk("POST", "/projects/:id/ci/lint", content="test: {stage: nowhere}")


def webhooks(walk: Walk) -> None:
    for owner, number in (("projects", ()), ("groups", ("acme",))):
        hooks = f"/{owner}/:id/hooks"
        # Nothing listens there, so that each delivery fails at once.
        made = walk("POST", hooks, *number, url="http://127.0.0.1:9/", push_events=False, note_events=True, name="One")
        walk("GET", hooks, *number)
        walk("GET", f"{hooks}/:hook_id", *number, made["id"])
        walk("POST", "/projects/:id/issues/:noteable_id/notes", 7, body="Sent")
        sent = next(log for _ in range(10_000) if (log := walk("GET", f"{hooks}/:hook_id/events", *number, made["id"])))
        walk("POST", f"{hooks}/:hook_id/events/:hook_event_id/resend", *number, made["id"], sent[0]["id"])
        walk("PUT", f"{hooks}/:hook_id", *number, made["id"], name="Two")
        walk("DELETE", f"{hooks}/:hook_id", *number, made["id"])


def triggers(walk: Walk) -> None:
    made = walk("POST", "/projects/:id/triggers", description="Listener")
    walk("POST", "/projects/:id/trigger/pipeline", ref="main", token=made["token"])
    walk("POST", "/projects/:id/ref/:ref/trigger/pipeline", "main", token=made["token"])
    walk("GET", "/projects/:id/triggers")
    walk("GET", "/projects/:id/triggers/:trigger_id", made["id"])
    walk("PUT", "/projects/:id/triggers/:trigger_id", made["id"], description="Other")
    walk("DELETE", "/projects/:id/triggers/:trigger_id", made["id"])


def repositories(walk: Walk) -> None:
    walk("GET", f"{REPOSITORY}/branches")
    walk("POST", f"{REPOSITORY}/branches", branch="one", ref="main")
    walk("GET", f"{REPOSITORY}/branches/:branch", "one")
    walk("DELETE", f"{REPOSITORY}/branches/:branch", "one")
    walk("GET", f"{REPOSITORY}/tags")
    walk("POST", f"{REPOSITORY}/tags", tag_name="v9", ref="main", message="Nine")
    walk("GET", f"{REPOSITORY}/tags/:tag_name", "v9")
    walk("DELETE", f"{REPOSITORY}/tags/:tag_name", "v9")
    walk("GET", f"{REPOSITORY}/commits")
    action = {"action": "create", "file_path": "x.txt", "content": "x\n"}
    made = walk(
        "POST", f"{REPOSITORY}/commits", branch="two", start_branch="main", commit_message="Two", actions=[action]
    )
    walk("GET", f"{REPOSITORY}/commits/:sha", made["id"])
    walk("GET", f"{REPOSITORY}/commits/:sha/diff", made["id"])
    walk("GET", f"{REPOSITORY}/commits/:sha/refs", made["id"])
    walk("GET", f"{REPOSITORY}/commits/:sha/merge_requests", "feature%2Fverbose-flag")
    walk("POST", f"{REPOSITORY}/commits/:sha/revert", made["id"], branch="two")
    walk("POST", f"{REPOSITORY}/commits/:sha/cherry_pick", made["id"], branch="two")
    walk("GET", f"{REPOSITORY}/compare", **{"from": "main", "to": "two"})
    for extension in ("", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tbz", ".tbz2", ".tb2", ".bz2"):
        walk("GET", f"{REPOSITORY}/archive{extension}", sha="two")
    refs: dict[str, Any] = {"refs[]": ["main", "two"]}
    walk("GET", f"{REPOSITORY}/merge_base", **refs)
    walk("GET", f"{REPOSITORY}/contributors")
    entries = walk("GET", f"{REPOSITORY}/tree", with_last_commit=True)
    blob = next(entry["id"] for entry in entries if entry["type"] == "blob")
    walk("GET", f"{REPOSITORY}/blobs/:sha", blob)
    walk("GET", f"{REPOSITORY}/blobs/:sha/raw", blob)
    file = f"{REPOSITORY}/files/:file_path"
    written = {"branch": "two", "commit_message": "File"}
    walk("POST", file, "a%2Fb.txt", content="1\n", **written)
    walk("PUT", file, "a%2Fb.txt", content="2\n", **written)
    walk("GET", file, "a%2Fb.txt", ref="two")
    walk("GET", f"{file}/raw", "a%2Fb.txt", ref="two")
    walk("GET", f"{file}/blame", "a%2Fb.txt", ref="two")
    walk("DELETE", file, "a%2Fb.txt", **written)
    for prefix in ("", "/-"):
        walk("GET", f"/projects/:id{prefix}/search", scope="blobs", search="config")
    one = f"{REPOSITORY}/commits/:sha"
    walk("POST", "/projects/:id/statuses/:sha", made["id"], state="running", coverage=87.5)
    walk("GET", f"{one}/statuses", made["id"])
    walk("POST", f"{one}/comments", made["id"], note="Fine", path="x.txt", line=1)
    walk("GET", f"{one}/comments", made["id"])
    thread = walk("POST", f"{one}/discussions", made["id"], body="A thread")["id"]
    walk("POST", f"{one}/discussions/:discussion_id/notes", made["id"], thread, body="A reply")
    walk("GET", f"{one}/discussions/:discussion_id", made["id"], thread)
    walk("GET", f"{one}/discussions", made["id"])
    walk.seen.add(("GET", f"{one}/signature"))  # 404: no commit of the sandbox has one
    branches = "/projects/:id/protected_branches"
    walk("POST", branches, name="release/*")
    walk("GET", branches)
    walk("GET", f"{branches}/:name", "release%2F*")
    walk("DELETE", f"{branches}/:name", "release%2F*")


def issues(walk: Walk) -> None:
    walk("GET", "/projects/:id/issues")
    made = walk("POST", "/projects/:id/issues", title="New", labels=["bug"], due_date="2030-01-01")["iid"]
    whole = walk("GET", ISSUE, made)
    complete(walk, "Issue", whole)
    walk("PUT", ISSUE, made, add_labels="p2", state_event="close", assignee_ids=[3])
    walk("POST", f"{ISSUE}/links", made, target_project_id=1, target_issue_iid=7)
    (link,) = walk("GET", f"{ISSUE}/links", made)
    walk("GET", f"{ISSUE}/links/:issue_link_id", made, link["issue_link_id"])
    walk("DELETE", f"{ISSUE}/links/:issue_link_id", made, link["issue_link_id"])
    walk("GET", f"{ISSUE}/related_merge_requests", 3)
    walk("GET", f"{ISSUE}/closed_by", 3)
    walk("GET", f"{ISSUE}/participants", 7)
    walk("DELETE", ISSUE, made)


def complete(walk: Walk, entity: str, value: dict[str, Any]) -> None:
    """Record the fields of an entity that are missing although nothing allows it."""
    optional = ABSENT[entity] | set(CONTRACT.conditional.get(entity, {}))
    missing = set(CONTRACT.entities[entity]) - set(value) - optional
    walk.faults += [f"{entity}.{name} is missing" for name in sorted(missing)]


def merge_requests(walk: Walk) -> None:
    walk("GET", "/projects/:id/merge_requests")
    made = walk("POST", "/projects/:id/merge_requests", title="Two", source_branch="two", target_branch="main")["iid"]
    complete(walk, "MergeRequest", walk("GET", REQUEST, 1))
    walk("PUT", REQUEST, made, description="Closes #8", reviewer_ids=[3])
    walk.apis["maintainer"].sandbox.fail_pipeline("two")
    walk("GET", REQUEST, made)
    for part in (
        "diffs",
        "changes",
        "versions",
        "commits",
        "pipelines",
        "closes_issues",
        "approvals",
        "participants",
        "reviewers",
    ):
        walk("GET", f"{REQUEST}/{part}", made)
    walk("GET", f"{REQUEST}/raw_diffs", made)
    version = walk("GET", f"{REQUEST}/versions", made)[0]["id"]
    walk("GET", f"{REQUEST}/versions/:version_id", made, version)
    walk("POST", f"{REQUEST}/approve", made, who="developer")
    walk("POST", f"{REQUEST}/unapprove", made, who="developer")
    drafts = f"{REQUEST}/draft_notes"
    for note in ("first", "second", "third"):
        walk("POST", drafts, made, note=note)
    first, second, _ = [draft["id"] for draft in walk("GET", drafts, made)]
    walk("GET", f"{drafts}/:draft_note_id", made, first)
    walk("PUT", f"{drafts}/:draft_note_id", made, first, note="changed")
    walk("PUT", f"{drafts}/:draft_note_id/publish", made, first)
    walk("DELETE", f"{drafts}/:draft_note_id", made, second)
    walk("POST", f"{drafts}/bulk_publish", made)
    walk("GET", f"{REQUEST}/merge_ref", made)
    walk("POST", f"{REQUEST}/cancel_merge_when_pipeline_succeeds", made)
    walk.seen.add(("GET", f"{REQUEST}/approval_state"))  # 404 without EE, which test_people.py calls
    walk("PUT", f"{REQUEST}/rebase", made)
    walk("PUT", f"{REQUEST}/merge", made)
    walk("DELETE", f"{REPOSITORY}/merged_branches")
    walk("DELETE", REQUEST, made)


def notes(walk: Walk, kind: str, number: int) -> None:
    one = f"/projects/:id/{kind}/:noteable_id"
    walk("GET", f"{one}/notes", number)
    made = walk("POST", f"{one}/notes", number, body="new", internal=True)["id"]
    complete(walk, "Note", walk("GET", f"{one}/notes/:note_id", number, made))
    walk("PUT", f"{one}/notes/:note_id", number, made, body="newer")
    for on, values in (("", (number,)), ("/notes/:note_id", (number, made))):
        emoji = walk("POST", f"{one}{on}/award_emoji", *values, name="tada")["id"]
        walk("GET", f"{one}{on}/award_emoji", *values)
        walk("GET", f"{one}{on}/award_emoji/:award_id", *values, emoji)
        walk("DELETE", f"{one}{on}/award_emoji/:award_id", *values, emoji)
    resource_events(walk, one, number)
    walk("DELETE", f"{one}/notes/:note_id", number, made)
    for word in ("time_estimate", "add_spent_time"):
        walk("POST", f"{one}/{word}", number, duration="1h 30m")
    walk("GET", f"{one}/time_stats", number)
    for word in ("reset_time_estimate", "reset_spent_time"):
        walk("POST", f"{one}/{word}", number)
    walk("POST", f"{one}/unsubscribe", number)
    walk("POST", f"{one}/subscribe", number)
    todo = walk("POST", f"{one}/todo", number)["id"]
    walk("POST", "/todos/:todo_id/mark_as_done", todo)
    walk("POST", "/todos/mark_as_done")
    walk("GET", f"{one}/discussions", number)
    thread = walk("POST", f"{one}/discussions", number, body="thread")["id"]
    response = walk("POST", f"{one}/discussions/:discussion_id/notes", number, thread, body="answer")["id"]
    walk("GET", f"{one}/discussions/:discussion_id", number, thread)
    walk("PUT", f"{one}/discussions/:discussion_id", number, thread, resolved=True)
    walk("GET", f"{one}/discussions/:discussion_id/notes/:note_id", number, thread, response)
    walk("PUT", f"{one}/discussions/:discussion_id/notes/:note_id", number, thread, response, body="better")
    walk("DELETE", f"{one}/discussions/:discussion_id/notes/:note_id", number, thread, response)


def uploads(walk: Walk) -> None:
    walk.seen.add(("POST", "/projects/:id/uploads"))
    file = {"file": ("log.txt", b"text")}
    for template in (UPLOADS, f"{UPLOADS}/:upload_id"):
        response = walk.apis["maintainer"].call("POST", "/projects/1/uploads", files=file)
        walk.hold("POST", "/projects/:id/uploads", response)
        upload = response.json()
        walk("GET", UPLOADS)
        values = (upload["id"],) if "upload_id" in template else upload["url"].split("/")[2:]
        template = template if "upload_id" in template else f"{UPLOADS}/:secret/:filename"
        walk("GET", template, *values)
        walk("DELETE", template, *values)


def resource_events(walk: Walk, one: str, number: int) -> None:
    changed = walk.apis["maintainer"].put
    item = one.replace(":id", "1").replace(":noteable_id", str(number))
    for change in ({"add_labels": "p1"}, {"milestone_id": 0}, {"state_event": "close"}, {"state_event": "reopen"}):
        changed(item, **change)
    for kind in ("label", "milestone", "state"):
        event = walk("GET", f"{one}/resource_{kind}_events", number)[0]
        walk("GET", f"{one}/resource_{kind}_events/:event_id", number, event["id"])


def test_every_addition_to_the_contract_names_its_source() -> None:
    assert all(source.strip() for source in CONTRACT.sources)


def test_the_contract_check_finds_violations() -> None:
    assert CONTRACT.faults({"id": "1"}, "Note") == ["Note.id is no int: '1'"]
    assert CONTRACT.faults({"colour": 1}, "Note") == ["Note.colour is not in the contract"]
    assert CONTRACT.faults({"author": None, "type": None}, "Note") == ["Note.author is null"]
    assert CONTRACT.faults({"notes": [{"author": {"id": True}}]}, "Discussion") == [
        "Discussion.notes[0].author.id is no int: True"
    ]
