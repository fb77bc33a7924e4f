"""mcp-gitlab, from PyPI."""

from __future__ import annotations

from tests.foreign_clients.journey import Server, Step

_REQUEST = {"project_id": "{project}", "mr_iid": "{request}"}
_ISSUE = {"project_id": "{project}", "issue_iid": "{issue}"}
_POSITION = {
    "base_sha": "{base}",
    "start_sha": "{base}",
    "head_sha": "{head}",
    "new_path": "one.txt",
    "old_path": "one.txt",
    "new_line": 1,
}
_STEPS: list[Step] = [
    ("gitlab_get_project", {"project_id": "{project}"}),
    ("gitlab_create_issue", {"project_id": "{project}", "title": "From mcp-gitlab", "labels": "bug"}),
    ("gitlab_add_issue_comment", {**_ISSUE, "body": "A comment"}),
    ("gitlab_get_issue", _ISSUE),
    ("gitlab_list_issues", {"project_id": "{project}", "labels": "bug"}),
    ("gitlab_create_branch", {"project_id": "{project}", "branch_name": "one", "ref": "main"}),
    (
        "gitlab_create_commit",
        {
            "project_id": "{project}",
            "branch": "one",
            "commit_message": "Add a file",
            "actions": [{"action": "create", "file_path": "one.txt", "content": "1\n2\n3\n"}],
        },
    ),
    ("gitlab_get_file", {"project_id": "{project}", "file_path": "one.txt", "ref": "one"}),
    ("gitlab_get_blame", {"project_id": "{project}", "file_path": "one.txt", "ref": "one"}),
    ("gitlab_list_tree", {"project_id": "{project}", "ref": "one"}),
    ("gitlab_search_code", {"project_id": "{project}", "search": "config"}),
    ("gitlab_compare", {"project_id": "{project}", "from": "main", "to": "one"}),
    (
        "gitlab_create_mr",
        {"project_id": "{project}", "source_branch": "one", "target_branch": "main", "title": "From mcp-gitlab"},
    ),
    ("gitlab_get_mr", _REQUEST),
    ("gitlab_mr_changes", _REQUEST),
    ("gitlab_create_mr_discussion", {**_REQUEST, **_POSITION, "body": "About this line"}),
    ("gitlab_reply_to_discussion", {**_REQUEST, "discussion_id": "{thread}", "body": "Done"}),
    ("gitlab_resolve_discussion", {**_REQUEST, "discussion_id": "{thread}", "resolved": True}),
    (
        "gitlab_create_mr_discussion",
        {
            **_REQUEST,
            **_POSITION,
            "body": "About these lines",
            "new_line": 3,
            "line_range_start_line": 1,
            "line_range_end_line": 3,
            "line_range_type": "new",
        },
    ),
    ("gitlab_resolve_discussion", {**_REQUEST, "discussion_id": "{thread}", "resolved": True}),
    ("gitlab_create_draft_note", {**_REQUEST, "body": "Later"}),
    ("gitlab_list_draft_notes", _REQUEST),
    ("gitlab_publish_draft_notes", _REQUEST),
    ("gitlab_list_mr_discussions", _REQUEST),
    ("gitlab_add_mr_note", {**_REQUEST, "body": "A comment"}),
    ("gitlab_get_mr_approvals", _REQUEST),
    ("gitlab_unsubscribe_mr", _REQUEST),
    ("gitlab_subscribe_mr", _REQUEST),
    ("gitlab_list_mr_pipelines", _REQUEST),
    ("gitlab_list_mr_commits", _REQUEST),
    ("gitlab_merge_mr", {**_REQUEST, "delete_source_branch": True}),
    ("gitlab_update_issue", {**_ISSUE, "state_event": "close"}),
    ("gitlab_list_pipelines", {"project_id": "{project}"}),
    ("gitlab_get_pipeline", {"project_id": "{project}", "pipeline_id": "{pipeline}", "include_jobs": True}),
    ("gitlab_get_job_log", {"project_id": "{project}", "job_id": "{job}"}),
    ("gitlab_create_tag", {"project_id": "{project}", "tag_name": "v7", "ref": "main"}),
    ("gitlab_create_release", {"project_id": "{project}", "tag_name": "v7", "description": "Seven"}),
    ("gitlab_list_releases", {"project_id": "{project}"}),
]
SERVER = Server(["{folder}/bin/mcp-gitlab"], {"GITLAB_TOKEN": "{token}", "GITLAB_URL": "{url}"}, _STEPS)
