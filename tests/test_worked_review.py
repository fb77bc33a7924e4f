"""The review that docs/review.md shows, done through an MCP client: the page is what happened, word for word."""

import json
import os
import re
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.gitlab import get
from tests.reviewing import commit, send
from tests.support import REPOSITORY, Agent, connect, settings_for

PAGE = REPOSITORY / "docs" / "review.md"
UPDATE = "GOLDEN=update scripts/test tests/test_worked_review.py"
OLD, NEW = "src/app/report.py", "src/app/summary.py"
BEFORE = '''"""Says what was read."""

from pathlib import Path


def report(path: Path, names: list[str]) -> str:
    """The names that a file holds, in a sentence."""
    if not names:
        return f"{path} is empty."
    return f"{path} has {', '.join(names)}."


def count(names: list[str]) -> int:
    """How many names there are."""
    return len(names)


def longest(names: list[str]) -> str:
    """The longest name."""
    return max(names, key=len)


def shortest(names: list[str]) -> str:
    """The shortest name."""
    return sorted(names, key=len)[0]
'''
AFTER = (
    BEFORE.replace("def report(", "def summary(")
    .replace('        return f"{path} is empty."\n', '        return "The file is empty."\n')
    .replace("    return sorted(names, key=len)[0]\n", "    names.sort(key=len)\n    return names[0]\n")
)


def to_review(sandbox: Sandbox) -> int:
    """A merge request that renames a file and changes it in two places."""
    commit(sandbox, "reports", "main", {"action": "create", "file_path": OLD, "content": BEFORE})
    move = {"action": "move", "file_path": NEW, "previous_path": OLD, "content": AFTER}
    commit(sandbox, "rename-report", "reports", move)
    body: dict[str, Any] = {"source_branch": "rename-report", "target_branch": "reports"}
    body |= {"title": "Call it a summary", "description": "It never was a report.", "reviewer_ids": [2]}
    number = send(sandbox, "POST", "/merge_requests", **body)["iid"]
    assert isinstance(number, int)
    return number


class Transcript:
    """Calls of an agent and their answers, as the page has them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.calls: list[str] = []
        self._url = sandbox.url

    async def call(self, agent: Agent, tool: str, **arguments: Any) -> str:
        answer = await agent.call(tool, **arguments)
        given = json.dumps(arguments, ensure_ascii=False, indent=2 if "comments" in arguments else None)
        self.calls.append(f"````\n{tool} {given}\n\n{self._settled(answer)}\n````")
        return answer

    def _settled(self, answer: str) -> str:
        """An answer as it would be on another day, with another commit."""
        text = answer.replace(self._url, "https://gitlab.example.com")
        text = re.sub(r"\b(at|head:) [0-9a-f]{12}\b", r"\1 1a2b3c4d5e6f", text)
        return re.sub(r"\b\d{4}-\d\d-\d\d\b", "2026-11-25", text)


@pytest.fixture
async def transcript(fresh_sandbox: Sandbox) -> Transcript:
    """The whole review, and the answer to it."""
    number = to_review(fresh_sandbox)
    made = Transcript(fresh_sandbox)
    async with connect(settings_for(fresh_sandbox)) as reviewer:
        listed = await made.call(reviewer, "list_merge_requests", reviewer="maintainer", search="summary")
        assert f"!{number} Call it a summary (open)" in listed
        await made.call(reviewer, "get_merge_request", iid=number)
        await made.call(reviewer, "get_merge_request_diff", iid=number)
        suggestion = "    return min(names, key=len)\n"
        comments = [
            {"path": NEW, "line": 9, "body": "Which file? The caller reads several: keep its path."},
            {
                "path": NEW,
                "line": 26,
                "start_line": 25,
                "body": "This sorts the list of the caller.",
                "suggestion": suggestion,
            },
            {"path": NEW, "line": 18, "body": "Is this used?"},
        ]
        review = {"summary": "A good name. Two things before it goes in.", "verdict": "request_changes"}
        await made.call(reviewer, "review_merge_request", iid=number, comments=comments, **review)
    async with connect(settings_for(fresh_sandbox, "developer")) as author:
        told = await made.call(author, "list_discussions", iid=f"!{number}", unresolved=True)
        thread = re.search(r"\nn(\d+) .*\n> This sorts", told)
        assert thread
        await made.call(author, "resolve_discussion", iid=f"!{number}", thread=thread[1])
    return made


async def test_the_suggestion_is_on_the_right_lines_of_the_file_that_was_renamed(
    fresh_sandbox: Sandbox, transcript: Transcript
) -> None:
    number = max(each["iid"] for each in get(fresh_sandbox, "/merge_requests?state=all"))
    threads = get(fresh_sandbox, f"/merge_requests/{number}/discussions")
    [note] = [each["notes"][0] for each in threads if each["notes"][0].get("suggestions")]
    assert (note["position"]["old_path"], note["position"]["new_path"]) == (OLD, NEW)
    [made] = note["suggestions"]
    assert made["from_content"] == "    names.sort(key=len)\n    return names[0]\n"
    assert (made["to_content"], made["appliable"]) == ("    return min(names, key=len)\n", True)
    assert note["resolved"] is True
    assert len(transcript.calls) == 6


async def test_the_page_on_reviews_shows_what_happened(transcript: Transcript) -> None:
    page = PAGE.read_text()
    blocks = re.findall(r"^````\n.*?^````$", page, re.MULTILINE | re.DOTALL)
    if os.environ.get("GOLDEN") == "update":
        for block, call in zip(blocks, transcript.calls, strict=True):
            page = page.replace(block, call)
        PAGE.write_text(page)
        blocks = transcript.calls
    assert blocks == transcript.calls, f"if that is wanted: {UPDATE}"
