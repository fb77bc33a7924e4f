"""The first job of Claude Code's page: its checkout, its variables, and what the model does in it."""

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import Place
from tests.e2e.model import Call, Turn

TOOLS = {f"mcp__gitlab__{name}" for name in ("get_issue", "commit_files", "get_merge_request", "get_job_context")}
ASKED = "@claude fix this"
CHANGED = 'def load_config(path):\n    return {}  # "quoted" ü\n'
NEW = "# Notes\n\nNew.\n"


def clone(place: Place, sandbox: Sandbox) -> None:
    """What the runner does before a job's first line."""
    scheme, _, host = sandbox.url.partition("://")
    place.git("init", "--quiet")
    place.git("remote", "add", "origin", f"{scheme}://{host}/{sandbox.project}.git")
    url = f"{scheme}://gitlab-ci-token:{sandbox.tokens['job']}@{host}/{sandbox.project}.git"
    place.git("fetch", "--quiet", "--depth=20", url, "+refs/heads/main:refs/remotes/origin/main")
    place.git("checkout", "--quiet", "--detach", "origin/main")


def variables(sandbox: Sandbox, *, access_token: bool) -> dict[str, str]:
    """What GitLab gives a job beside what the runner of the bench knows."""
    given = {
        "CI_PROJECT_ID": str(sandbox.project_id),
        "CI_JOB_TOKEN": sandbox.tokens["job"],
        "CI_PIPELINE_ID": "501",
        "GITLAB_USER_LOGIN": "developer",
        "GITLAB_USER_NAME": "Developer",
        "GITLAB_USER_EMAIL": "developer@example.com",
        "AI_FLOW_INPUT": ASKED,
        "AI_FLOW_CONTEXT": '{"iid": 7, "title": "Crash when the config file is empty", "issue_comments": ""}',
        "AI_FLOW_EVENT": "mention",
    }
    return {**given, **({"GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"]} if access_token else {})}


def script(place: Place, *, note: bool) -> list[Turn]:
    """What the model does: read, edit with its own tools, commit from disk, answer."""
    config, new = place.work / "src/app/config.py", place.work / "docs/notes.md"
    commit = {
        "branch": "7-empty-config",
        "ref": "main",
        "message": "Handle an empty configuration file",
        "paths": ["src/**", "docs/**"],
        "merge_request": {"title": "Handle an empty configuration file", "description": "Closes #7"},
    }
    edit = {"file_path": str(config), "content": CHANGED}
    turns: list[Turn] = [
        [
            Call("mcp__gitlab__get_job_context"),
            Call("mcp__gitlab__get_issue"),
            Call("Read", {"file_path": str(config)}),
        ],
        [Call("Write", edit), Call("Write", {"file_path": str(new), "content": NEW})],
        Call("Edit", {"file_path": str(new), "old_string": "New.", "new_string": "New and edited."}),
        Call("mcp__gitlab__commit_files", commit),
    ]
    return [*turns, Call("mcp__gitlab__create_note", {"body": "I opened a merge request."})] if note else turns
