"""@zereight/mcp-gitlab, from npm, whose numbers are strings."""

from __future__ import annotations

from tests.foreign_clients.journey import Server, Step

_POSITION = {
    "base_sha": "{base}",
    "start_sha": "{base}",
    "head_sha": "{head}",
    "position_type": "text",
    "new_path": "zereight.txt",
    "old_path": "zereight.txt",
    "new_line": 1,
}
_REQUEST = {"project_id": "{project}", "merge_request_iid": "{request_text}"}
_ISSUE = {"project_id": "{project}", "issue_iid": "{issue_text}"}
_STEPS: list[Step] = [
    ("get_project", {"project_id": "{project}"}),
    ("list_projects", {"membership": True}),
    ("list_labels", {"project_id": "{project}"}),
    ("create_label", {"project_id": "{project}", "name": "zereight", "color": "#123456"}),
    ("create_issue", {"project_id": "{project}", "title": "From zereight", "labels": ["zereight", "bug"]}),
    ("get_issue", _ISSUE),
    ("list_issues", {"project_id": "{project}", "state": "opened", "labels": ["zereight"]}),
    ("my_issues", {"project_id": "{project}"}),
    (
        "create_note",
        {"project_id": "{project}", "noteable_type": "issue", "noteable_iid": "{issue_text}", "body": "A comment"},
    ),
    ("create_issue_emoji_reaction", {**_ISSUE, "name": "eyes"}),
    ("list_issue_discussions", _ISSUE),
    ("list_todos", {}),
    ("create_branch", {"project_id": "{project}", "branch": "zereight", "ref": "main"}),
    (
        "push_files",
        {
            "project_id": "{project}",
            "branch": "zereight",
            "commit_message": "Add a file",
            "files": [{"file_path": "zereight.txt", "content": "one\ntwo\n"}],
        },
    ),
    ("get_file_contents", {"project_id": "{project}", "file_path": "zereight.txt", "ref": "zereight"}),
    (
        "create_or_update_file",
        {
            "project_id": "{project}",
            "file_path": "zereight.txt",
            "content": "one\ntwo\nthree\n",
            "commit_message": "Add a line",
            "branch": "zereight",
        },
    ),
    ("get_branch_diffs", {"project_id": "{project}", "from": "main", "to": "zereight"}),
    (
        "create_merge_request",
        {"project_id": "{project}", "title": "From zereight", "source_branch": "zereight", "target_branch": "main"},
    ),
    ("get_merge_request", _REQUEST),
    ("get_merge_request_diffs", _REQUEST),
    ("list_merge_request_versions", _REQUEST),
    ("create_merge_request_thread", {**_REQUEST, "body": "About this line", "position": _POSITION}),
    ("resolve_merge_request_thread", {**_REQUEST, "discussion_id": "{thread}", "resolved": True}),
    ("create_draft_note", {**_REQUEST, "body": "Later", "position": _POSITION}),
    ("bulk_publish_draft_notes", _REQUEST),
    ("mr_discussions", _REQUEST),
    ("list_merge_request_pipelines", _REQUEST),
    ("update_merge_request", {**_REQUEST, "description": "Changed", "labels": ["zereight"]}),
    ("list_pipelines", {"project_id": "{project}"}),
    ("list_pipeline_jobs", {"project_id": "{project}", "pipeline_id": "{pipeline_text}"}),
    ("get_pipeline_job_output", {"project_id": "{project}", "job_id": "{job_text}"}),
    ("merge_merge_request", {**_REQUEST, "should_remove_source_branch": True}),
    ("update_issue", {**_ISSUE, "state_event": "close"}),
    ("list_commits", {"project_id": "{project}"}),
    ("search_repositories", {"search": "app"}),
]
SERVER = Server(
    ["node", "{folder}/node_modules/@zereight/mcp-gitlab/build/index.js"],
    {
        "GITLAB_PERSONAL_ACCESS_TOKEN": "{token}",
        "GITLAB_API_URL": "{url}/api/v4",
        "USE_PIPELINE": "true",
        "USE_MILESTONE": "true",
        "USE_GITLAB_WIKI": "true",
    },
    _STEPS,
)
