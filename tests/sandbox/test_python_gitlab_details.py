"""Details of python-gitlab's objects: saving, single items, time tracking, job tokens."""

from __future__ import annotations

from collections.abc import Iterator

import gitlab
import pytest
from gitlab.v4.objects import Project

from gitlab_mcp.sandbox import Sandbox


@pytest.fixture
def project(sandbox: Sandbox) -> Iterator[Project]:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as client:
        yield client.projects.create({"name": "Details", "initialize_with_readme": True})


def test_labels_are_renamed_and_deleted(project: Project) -> None:
    label = project.labels.create({"name": "bug", "color": "#ff0000"})
    label.new_name = "defect"
    label.description = "Something is wrong"
    label.save()
    assert project.labels.get("defect").description == "Something is wrong"
    project.labels.delete("defect")
    assert project.labels.list() == []


def test_milestones_list_their_issues_and_are_deleted(project: Project) -> None:
    milestone = project.milestones.create({"title": "1.0"})
    issue = project.issues.create({"title": "One", "milestone_id": milestone.id})
    assert [one.iid for one in milestone.issues()] == [issue.iid]
    assert list(milestone.merge_requests()) == []
    milestone.state_event = "close"
    milestone.save()
    assert project.milestones.list(state="closed")[0].id == milestone.id
    milestone.delete()
    assert project.issues.get(issue.iid).milestone is None


def test_reactions_and_links_are_read_singly_and_deleted(project: Project) -> None:
    one, other = (project.issues.create({"title": title}) for title in ("One", "Other"))
    note = one.notes.create({"body": "a note"})
    for place in (one, note):
        made = place.awardemojis.create({"name": "tada"})
        assert place.awardemojis.get(made.id).name == "tada"
        made.delete()
        assert place.awardemojis.list() == []
    one.links.create({"target_project_id": project.id, "target_issue_iid": other.iid, "link_type": "blocks"})
    (link,) = one.links.list()
    assert link.link_type == "blocks"
    one.links.delete(link.issue_link_id)
    assert other.links.list() == []


def test_time_tracking_is_stored(project: Project) -> None:
    issue = project.issues.create({"title": "One"})
    issue.time_estimate("3h")
    issue.add_spent_time("1h 30m")
    assert project.issues.get(issue.iid).time_stats()["human_total_time_spent"] == "1h 30m"
    issue.reset_time_estimate()
    issue.reset_spent_time()
    assert project.issues.get(issue.iid).time_stats()["time_estimate"] == 0


def test_an_empty_file_is_a_file(project: Project) -> None:
    body = {"file_path": "src/py.typed", "branch": "main", "content": "", "commit_message": "Add it"}
    project.files.create(body)
    assert project.files.get("src/py.typed", ref="main").size == 0


def test_a_note_of_only_commands_has_no_id(project: Project) -> None:
    issue = project.issues.create({"title": "One"})
    response = issue.notes.create({"body": "/close"})
    assert response.attributes["summary"] == ["Closed this issue."]
    assert project.issues.get(issue.iid).state == "closed"


def test_a_client_with_a_job_token_reads_the_documented_routes(sandbox: Sandbox) -> None:
    with gitlab.Gitlab(sandbox.url, job_token=sandbox.tokens["job"]) as client:
        project = client.projects.get(sandbox.project, lazy=True)
        assert project.issues.get(7).title == "Crash when the config file is empty"
        request = project.mergerequests.get(1)
        assert len(request.notes.list(get_all=True)) == 4
        assert [one.id for one in project.pipelines.list()] == [sandbox.job.pipeline.id]
        assert [one.name for one in project.pipelines.get(sandbox.job.pipeline.id).jobs.list()] == ["claude", "prepare"]
        with pytest.raises(gitlab.GitlabAuthenticationError, match="401 Unauthorized"):
            request.notes.create({"body": "x"})
