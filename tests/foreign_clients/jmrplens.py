"""jmrplens-gitlab-mcp-server, from PyPI, with a tool for each route."""

from __future__ import annotations

from tests.foreign_clients.journey import Server, Step

_REQUEST = {"project_id": "{project}", "merge_request_iid": "{request}"}
_ISSUE = {"project_id": "{project}", "issue_iid": "{issue}"}
_POSITION = {
    "base_sha": "{base}",
    "start_sha": "{base}",
    "head_sha": "{head}",
    "new_path": "two.txt",
    "old_path": "two.txt",
    "new_line": 1,
}
_STEPS: list[Step] = [
    ("gitlab_label_create", {"project_id": "{project}", "name": "jmrplens", "color": "#123456"}),
    ("gitlab_issue_create", {"project_id": "{project}", "title": "From jmrplens", "labels": ["jmrplens"]}),
    ("gitlab_issue_note_create", {**_ISSUE, "body": "A comment"}),
    ("gitlab_issue_list", {"project_id": "{project}", "labels": ["jmrplens"]}),
    ("gitlab_issue_create_todo", _ISSUE),
    ("gitlab_todo_list", {}),
    ("gitlab_todo_mark_all_done", {}),
    ("gitlab_branch_create", {"project_id": "{project}", "branch_name": "two", "ref": "main"}),
    (
        "gitlab_commit_create",
        {
            "project_id": "{project}",
            "branch": "two",
            "commit_message": "Add a file",
            "actions": [{"action": "create", "file_path": "two.txt", "content": "1\n2\n"}],
        },
    ),
    (
        "gitlab_mr_create",
        {"project_id": "{project}", "source_branch": "two", "target_branch": "main", "title": "From jmrplens"},
    ),
    ("gitlab_mr_get", _REQUEST),
    ("gitlab_mr_changes_get", _REQUEST),
    ("gitlab_mr_discussion_create", {**_REQUEST, "body": "About this line", "position": _POSITION}),
    ("gitlab_mr_discussion_resolve", {**_REQUEST, "discussion_id": "{thread}", "resolved": True}),
    ("gitlab_mr_draft_note_create", {**_REQUEST, "note": "Later"}),
    ("gitlab_mr_draft_note_publish_all", _REQUEST),
    ("gitlab_mr_list", {"project_id": "{project}", "state": "opened"}),
    (
        "gitlab_project_upload",
        {"project_id": "{project}", "filename": "log.txt", "content_base64": "bG9n"},
    ),
    ("gitlab_project_upload_list", {"project_id": "{project}"}),
    ("gitlab_pipeline_list", {"project_id": "{project}"}),
    ("gitlab_job_list", {"project_id": "{project}", "pipeline_id": "{pipeline}"}),
    ("gitlab_job_trace", {"project_id": "{project}", "job_id": "{job}"}),
    ("gitlab_mr_merge", {**_REQUEST, "confirm": True}),
    ("gitlab_issue_update", {**_ISSUE, "state_event": "close"}),
]
SERVER = Server(
    ["{folder}/bin/jmrplens-gitlab-mcp-server"],
    {"GITLAB_TOKEN": "{token}", "GITLAB_URL": "{url}", "GITLAB_MCP_TOOL_SURFACE": "individual"},
    _STEPS,
)
