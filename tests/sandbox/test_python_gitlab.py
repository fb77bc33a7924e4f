"""An independent client, python-gitlab, takes a project through its whole life on the sandbox."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import gitlab
import pytest
from gitlab.v4.objects import Project

from gitlab_mcp.sandbox import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[gitlab.Gitlab]:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as one:
        yield one


@pytest.fixture
def project(client: gitlab.Gitlab) -> Project:
    made = client.projects.create({"name": "Whole Life", "initialize_with_readme": True, "visibility": "public"})
    assert isinstance(made, Project)
    return made


def parsed(value: Any) -> Any:
    """The result of a method whose annotation also allows a raw response."""
    return value


def commit(project: Project, branch: str, start: str | None, **files: str) -> Any:
    actions = [
        {"action": "create", "file_path": name.replace("_", "."), "content": text} for name, text in files.items()
    ]
    body: dict[str, Any] = {"branch": branch, "commit_message": f"Add to {branch}", "actions": actions}
    return project.commits.create(body if start is None else {**body, "start_branch": start})


def test_the_current_user_and_its_token_are_read(client: gitlab.Gitlab, sandbox: Sandbox) -> None:
    client.auth()
    assert client.user is not None
    assert client.user.username == "maintainer"
    assert client.version()[0] == "19.2.0"
    assert client.personal_access_tokens.get("self").scopes == ["api"]
    assert [user.username for user in client.users.list(username="developer")] == ["developer"]
    project = client.projects.get(sandbox.project)
    assert {member.username: member.access_level for member in project.members_all.list(get_all=True)} == {
        "maintainer": 50,
        "developer": 30,
        "reporter": 20,
    }
    assert project.members_all.get(3).access_level == 30


def test_a_project_is_created_found_changed_archived_and_deleted(client: gitlab.Gitlab, project: Project) -> None:
    assert project.path_with_namespace == "maintainer/whole-life"
    assert [found.id for found in client.projects.list(search="whole", owned=True)] == [project.id]
    project.description = "changed"
    project.save()
    assert client.projects.get(project.id).description == "changed"
    project.archive()
    assert client.projects.get(project.id).archived is True
    with pytest.raises(gitlab.GitlabCreateError, match="403 Forbidden"):
        project.issues.create({"title": "x"})
    project.unarchive()
    project.delete()
    with pytest.raises(gitlab.GitlabGetError, match="404 Project Not Found"):
        client.projects.get(project.id)


def test_an_issue_with_labels_milestone_links_notes_threads_and_reactions(project: Project) -> None:
    project.labels.create({"name": "bug", "color": "#ff0000"})
    milestone = project.milestones.create({"title": "1.0", "due_date": "2099-01-01"})
    other = project.issues.create({"title": "Other"})
    issue = project.issues.create(
        {"title": "One", "description": "- [x] a\n- [ ] b", "labels": ["bug"], "milestone_id": milestone.id}
    )
    assert issue.task_completion_status == {"count": 2, "completed_count": 1}
    issue.labels = ["bug", "new one"]
    issue.assignee_ids = [2]
    issue.title = "Uno"
    issue.save()
    issue.links.create({"target_project_id": project.id, "target_issue_iid": other.iid})
    assert [link.iid for link in issue.links.list()] == [other.iid]
    note = issue.notes.create({"body": "a note"})
    note.body = "a better note"
    note.save()
    note.awardemojis.create({"name": "thumbsup"})
    issue.awardemojis.create({"name": "thumbsup"})
    thread = issue.discussions.create({"body": "a thread"})
    thread.notes.create({"body": "an answer"})
    assert [one["body"] for one in issue.discussions.get(thread.id).attributes["notes"]] == ["a thread", "an answer"]
    issue.state_event = "close"
    issue.save()
    found = project.issues.get(issue.iid)
    assert (found.state, found.upvotes, found.user_notes_count) == ("closed", 1, 3)
    bodies = [one.body for one in issue.notes.list(get_all=True, sort="asc") if one.system]
    for wanted in (
        "changed title from **{-One-}** to **{+Uno+}**",
        "assigned to @maintainer",
    ):
        assert wanted in bodies
    assert [one.label["name"] for one in issue.resourcelabelevents.list(get_all=True)][-1] == "new one"
    assert [one.state for one in issue.resourcestateevents.list(get_all=True)] == ["closed"]
    assert [one.iid for one in project.issues.list(state="closed")] == [issue.iid]
    assert [one.iid for one in project.issues.list(labels=["bug"], milestone="1.0", search="uno")] == [issue.iid]
    assert [one.iid for one in project.issues.list(iids=[1])] == [1]
    note.delete()
    other.delete()
    assert len(project.issues.list()) == 1


def test_branches_files_commits_tree_blame_and_compare(project: Project) -> None:
    project.branches.create({"branch": "work", "ref": "main"})
    body = {"file_path": "src/a.txt", "branch": "work", "content": "one\n", "commit_message": "Add a"}
    project.files.create(body)
    file = project.files.get(file_path="src/a.txt", ref="work")
    assert file.decode() == b"one\n"
    file.content = base64.b64encode(b"one\ntwo\n").decode()
    file.encoding = "base64"
    file.save(branch="work", commit_message="Change a")
    assert project.files.raw(file_path="src/a.txt", ref="work") == b"one\ntwo\n"
    blame = project.files.blame(file_path="src/a.txt", ref="work")
    assert [(part["commit"]["message"].strip(), part["lines"]) for part in blame] == [
        ("Add a", ["one"]),
        ("Change a", ["two"]),
    ]
    assert [entry["path"] for entry in project.repository_tree(path="src", ref="work")] == ["src/a.txt"]
    commits = project.commits.list(ref_name="work", get_all=True)
    assert [one.title for one in commits] == ["Change a", "Add a", "Initial commit"]
    assert [diff["diff"] for diff in commits[0].diff()] == ["@@ -1 +1,2 @@\n one\n+two\n"]
    compared = parsed(project.repository_compare("main", "work"))
    assert [one["title"] for one in compared["commits"]] == ["Add a", "Change a"]
    (entry,) = project.repository_tree(path="src", ref="work", get_all=True)
    blob = parsed(project.repository_blob(entry["id"]))
    assert base64.b64decode(blob["content"]) == b"one\ntwo\n"
    assert [branch.name for branch in project.branches.list(search="^wo")] == ["work"]
    assert project.branches.get("main").protected is True
    project.tags.create({"tag_name": "v1", "ref": "work", "message": "The first"})
    assert project.tags.get("v1").message == "The first"
    project.files.delete(file_path="src/a.txt", branch="work", commit_message="Drop a")
    with pytest.raises(gitlab.GitlabGetError, match="404 File Not Found"):
        project.files.get(file_path="src/a.txt", ref="work")
    project.branches.delete("work")
    with pytest.raises(gitlab.GitlabDeleteError, match="Cannot remove HEAD branch"):
        project.branches.delete("main")


def test_a_merge_request_from_review_to_merge_closes_its_issue(project: Project) -> None:
    issue = project.issues.create({"title": "One"})
    commit(project, "work", "main", a_txt="one\ntwo\n")
    request = project.mergerequests.create(
        {
            "title": "Draft: Work",
            "source_branch": "work",
            "target_branch": "main",
            "description": f"Closes #{issue.iid}",
            "remove_source_branch": True,
            "squash": True,
            "labels": "x,y",
            "reviewer_ids": [3],
        }
    )
    assert (request.detailed_merge_status, request.draft, request.changes_count) == ("draft_status", True, "1")
    assert [one.iid for one in request.closes_issues()] == [issue.iid]
    assert [one["iid"] for one in issue.related_merge_requests()] == [request.iid]
    assert [one["iid"] for one in issue.closed_by()] == [request.iid]
    with pytest.raises(gitlab.GitlabMRClosedError, match="405 Method Not Allowed"):
        request.merge()
    position = {**request.diff_refs, "position_type": "text", "old_path": "a.txt", "new_path": "a.txt", "new_line": 2}
    thread = request.discussions.create({"body": "why?", "position": position})
    thread.notes.create({"body": "because"})
    assert project.mergerequests.get(request.iid).blocking_discussions_resolved is False
    thread.resolved = True
    thread.save()
    draft = request.draft_notes.create({"note": "later"})
    draft.publish()
    request.draft_notes.create({"note": "also"})
    request.draft_notes.bulk_publish()
    assert [one.body for one in request.notes.list(get_all=True, sort="asc") if not one.system] == [
        "why?",
        "because",
        "later",
        "also",
    ]
    commit(project, "work", None, b_txt="more\n")
    assert len(request.diffs.list(get_all=True)) == 2
    assert [one.title for one in request.commits()] == ["Add to work", "Add to work"]
    request.title = "Work"
    request.save()
    request.merge(sha=project.branches.get("work").commit["id"])
    merged = project.mergerequests.get(request.iid)
    assert (merged.state, project.issues.get(issue.iid).state) == ("merged", "closed")
    assert merged.merge_commit_sha
    assert merged.squash_commit_sha
    assert project.files.raw(file_path="b.txt", ref="main") == b"more\n"
    assert [branch.name for branch in project.branches.list()] == ["main"]
    (closed,) = project.issues.get(issue.iid).resourcestateevents.list(get_all=True)
    assert (closed.state, closed.source_merge_request_id) == ("closed", request.id)


def test_a_conflict_is_detected_and_a_clean_rebase_succeeds(project: Project) -> None:
    commit(project, "mine", "main", a_txt="mine\n")
    commit(project, "fits", "main", b_txt="fits\n")
    mine = project.mergerequests.create({"title": "Mine", "source_branch": "mine", "target_branch": "main"})
    fits = project.mergerequests.create({"title": "Fits", "source_branch": "fits", "target_branch": "main"})
    commit(project, "main", None, a_txt="theirs\n")
    found = project.mergerequests.get(mine.iid)
    assert (found.has_conflicts, found.detailed_merge_status) == (True, "conflict")
    assert found.merge_status == "cannot_be_merged"
    with pytest.raises(gitlab.GitlabMRClosedError, match="Branch cannot be merged"):
        found.merge()
    mine.rebase()
    assert "resolve all conflicts" in project.mergerequests.get(mine.iid).merge_error
    fits.rebase()
    rebased = project.mergerequests.get(fits.iid, include_diverged_commits_count=True)
    assert (rebased.diverged_commits_count, rebased.detailed_merge_status) == (0, "mergeable")


def test_the_same_branches_get_one_open_merge_request(project: Project) -> None:
    commit(project, "work", "main", a_txt="x")
    body = {"title": "Work", "source_branch": "work", "target_branch": "main"}
    first = project.mergerequests.create(body)
    with pytest.raises(gitlab.GitlabCreateError) as caught:
        project.mergerequests.create(body)
    assert caught.value.response_code == 409
    assert "Another open merge request already exists for this source branch: !1" in str(caught.value)
    first.state_event = "close"
    first.save()
    assert project.mergerequests.create(body).iid == 2
    with pytest.raises(gitlab.GitlabCreateError, match='Source branch "none" does not exist'):
        project.mergerequests.create({**body, "source_branch": "none"})
    with pytest.raises(gitlab.GitlabCreateError, match="same project/branch"):
        project.mergerequests.create({**body, "source_branch": "main"})


def test_a_branch_without_commits_gets_a_merge_request_without_changes(client: gitlab.Gitlab, sandbox: Sandbox) -> None:
    project = client.projects.get(sandbox.project)
    made = project.mergerequests.create({"title": "x", "source_branch": "stale/no-commits", "target_branch": "main"})
    assert (made.changes_count, made.detailed_merge_status) == (None, "commits_status")
    assert parsed(made.changes())["changes"] == []


def test_the_seeded_review_has_an_open_and_a_resolved_thread(client: gitlab.Gitlab, sandbox: Sandbox) -> None:
    request = client.projects.get(sandbox.project).mergerequests.get(1)
    threads = [one.attributes for one in request.discussions.list(get_all=True)]
    assert [one.get("resolved") for one in threads] == [None, False, True]
    diffs = {one["new_path"]: one["diff"].splitlines() for one in parsed(request.changes())["changes"]}
    for thread in threads[1:]:
        position = thread["notes"][0]["position"]
        hunk = diffs[position["new_path"]]
        start = int(hunk[0].split("+")[1].split(",")[0])
        shown = [line for line in hunk[1:] if not line.startswith("-")]
        assert shown[position["new_line"] - start].startswith("+")


def test_a_position_outside_the_diff_is_rejected(client: gitlab.Gitlab, sandbox: Sandbox) -> None:
    request = client.projects.get(sandbox.project).mergerequests.get(1)
    good = {**request.diff_refs, "position_type": "text", "old_path": "docs/usage.md", "new_path": "docs/usage.md"}
    made = request.discussions.create({"body": "here", "position": {**good, "old_line": 1, "new_line": 1}})
    assert made.attributes["notes"][0]["position"]["old_line"] == 1
    for wrong in ({"new_line": 1}, {"new_line": 99}, {"old_line": 1, "new_line": 2}, {}):
        with pytest.raises(gitlab.GitlabCreateError, match="must be a valid line code"):
            request.discussions.create({"body": "x", "position": {**good, **wrong}})
    with pytest.raises(gitlab.GitlabCreateError, match="diff position is not valid"):
        request.discussions.create({"body": "x", "position": {**good, "head_sha": "0" * 40, "new_line": 6}})
    with pytest.raises(gitlab.GitlabCreateError, match="is missing"):
        request.discussions.create({"body": "x", "position": {"new_line": 6}})


def test_a_second_approval_is_rejected(client: gitlab.Gitlab, sandbox: Sandbox) -> None:
    project = client.projects.get(sandbox.project)
    project.mergerequests.get(1).approve()
    request = project.mergerequests.get(1)
    assert [one["user"]["username"] for one in request.approvals.get().approved_by] == ["maintainer"]
    with pytest.raises(gitlab.GitlabAuthenticationError):
        request.approve()
    request.unapprove()
    assert project.mergerequests.get(1).approvals.get().approved is False
