"""A merge request that renames a file and changes it in two places: its review, and what its author does with it."""

from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import commit, get, send
from tests.support.journeys import Journey, Step, found

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
    """Open the merge request, whose reviewer is maintainer; its iid."""
    commit(sandbox, "reports", "main", {"action": "create", "file_path": OLD, "content": BEFORE})
    move = {"action": "move", "file_path": NEW, "previous_path": OLD, "content": AFTER}
    commit(sandbox, "rename-report", "reports", move)
    body: dict[str, Any] = {"source_branch": "rename-report", "target_branch": "reports"}
    body |= {"title": "Call it a summary", "description": "It never was a report.", "reviewer_ids": [2]}
    number = send(sandbox, "POST", "/merge_requests", **body)["iid"]
    assert isinstance(number, int)
    return number


def review() -> Journey:
    """What the reviewer does."""
    listed = yield Step("list_merge_requests", {"reviewer": "maintainer", "search": "summary"})
    number = int(found(r"^!(\d+) Call it a summary \(open\)", listed))
    yield Step("get_merge_request", {"iid": number})
    yield Step("get_merge_request_diff", {"iid": number})
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
    yield Step("review_merge_request", {"iid": number, "comments": comments, **review})


def answer(number: int) -> Journey:
    """What the author does with the review."""
    told = yield Step("list_discussions", {"iid": f"!{number}", "unresolved": True})
    thread = found(r"^n(\d+) .*\n> This sorts", told)
    yield Step("resolve_discussion", {"iid": f"!{number}", "thread": thread})


def assert_reviewed(sandbox: Sandbox, number: int) -> None:
    """GitLab has the comments on the right lines of the file that was renamed, and the thread that was resolved."""
    threads = get(sandbox, f"/merge_requests/{number}/discussions")
    notes = [each["notes"][0] for each in threads if not each["notes"][0]["system"]]
    assert [note["body"].partition("\n")[0] for note in notes] == [
        "Which file? The caller reads several: keep its path.",
        "This sorts the list of the caller.",
        "A good name. Two things before it goes in.",
    ]
    path, lines, _ = notes
    assert (path["position"]["new_line"], path["resolved"]) == (9, False)
    assert (lines["position"]["old_path"], lines["position"]["new_path"]) == (OLD, NEW)
    [made] = lines["suggestions"]
    assert made["from_content"] == "    names.sort(key=len)\n    return names[0]\n"
    assert (made["to_content"], made["appliable"]) == ("    return min(names, key=len)\n", True)
    assert lines["resolved"] is True
