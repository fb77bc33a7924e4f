"""Modes and links in the diff of a merge request, and comments on several lines on GitLab before 18.6."""

from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import clone, git
from tests.support.gitlab_requests import commit, send
from tests.support.merge_requests import NEW, open_for_review, threads
from tests.support.settings import settings_for


async def test_links_and_modes_are_told_in_a_diff_and_in_its_names(fresh_sandbox: Sandbox, tmp_path: Path) -> None:
    checkout = clone(fresh_sandbox, "main", tmp_path / "clone")
    git(checkout, "switch", "-q", "-c", "modes")
    (checkout / "passwd").symlink_to("/etc/passwd")
    (checkout / "run.sh").write_text("echo run\n")
    (checkout / "run.sh").chmod(0o755)
    (checkout / "README.md").chmod(0o755)
    git(checkout, "add", "--all")
    git(checkout, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "Modes")
    git(checkout, "push", "-q", "origin", "modes")
    body: dict[str, Any] = {"source_branch": "modes", "target_branch": "main", "title": "Modes"}
    number = send(fresh_sandbox, "POST", "/merge_requests", **body)["iid"]
    async with connect(settings_for(fresh_sandbox)) as agent:
        names = await agent.call("get_merge_request_diff", iid=number, names_only=True)
        diff = await agent.call("get_merge_request_diff", iid=number)
        compared = await agent.call("compare_refs", base="main", head="modes")
    assert "passwd +1 -0 (new, symbolic link to /etc/passwd)" in names
    assert "run.sh +1 -0 (new, executable)" in names
    assert "README.md (mode 100644 -> 100755, executable, empty, binary or only its mode changed)" in names
    assert "## passwd +1 -0 (new, symbolic link to /etc/passwd)" in diff
    assert "symbolic link to /etc/passwd" in compared
    assert "mode 100644 -> 100755, executable" in compared


async def test_a_range_whose_line_numbers_gitlab_refuses_is_sent_with_line_codes(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "range-of-codes")
    commit(sandbox, "unrelated", "main", {"action": "create", "file_path": "u", "content": "u"})
    sandbox.faults.clear()
    refusal = {"message": 'Note {:position=>["must be a valid json schema"]}'}
    sandbox.faults.fail("POST", "/draft_notes$", status=400, body=refusal)
    comment = {"path": NEW, "start_line": 4, "line": 5, "body": "Both lines."}
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=[comment])
    sent = [each["body"]["position"]["line_range"] for each in sandbox.faults.requests() if _creates_draft(each)]
    assert [set(each["start"]) for each in sent] == [{"line_code", "type", "new_line"}, {"line_code", "type"}]
    assert sent[0]["end"]["line_code"] == sent[1]["end"]["line_code"]
    assert "1 comment" in answer
    [thread] = threads(sandbox, number)
    assert thread["body"] == "Both lines."


def _creates_draft(request: dict[str, Any]) -> bool:
    return bool(request["method"] == "POST" and str(request["path"]).endswith("/draft_notes"))
