"""The known answers of the stub GitLab, recorded from the sandbox: entities of GitLab's shape in usual sizes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitlab_mcp.sandbox import Sandbox

PROJECT = "acme/app"
# What a tool reads and comments on: the first issue and the first merge request that are created in a new sandbox.
ISSUE, MERGE_REQUEST = 9, 2
FILE, BRANCH, NEW_BRANCH = "src/app/store.py", "split-the-store", "fix-the-store"
COMMENTS, FILES_OF_DIFF, LINES_OF_FILE = 20, 10, 140
NOTE = "The store closes its file now, also when writing failed. Tried with a full disk."
# They lie in the root, so that a look at their folders is one request.
NEW_FILES = {f"store_{number}.py": f"def part_{number}() -> int:\n    return {number}\n" for number in range(3)}
TITLE, MESSAGE = "Close the file of the store", "Close the file of the store, also when writing fails"
RECURSIVE = "?recursive=true"  # the only query that makes an answer another one
_KEPT_HEADERS = ("content-type", "etag", "link")


@dataclass(frozen=True)
class Answer:
    """What the stub sends to a method and a path below /api/v4, in which the project is ":id".

    The path ends in RECURSIVE where the answer is the recursive one.
    """

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: str


@contextmanager
def _requests(sandbox: Sandbox) -> Iterator[Any]:
    """Give a function that sends a request to the sandbox and returns its answer."""
    address = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def send(method: str, path: str, who: str = "maintainer", **body: Any) -> Answer:
        headers = {"PRIVATE-TOKEN": sandbox.tokens[who], "Content-Type": "application/json"}
        real = path.replace(":id", quote(PROJECT, safe=""))
        connection.request(method, f"/api/v4{real}", json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status >= 400:
            raise RuntimeError(f"The sandbox answered {response.status} to {method} {path}: {text}")
        kept = {name.lower(): value for name, value in response.getheaders()}
        kept = {name: value for name, value in kept.items() if name in _KEPT_HEADERS or name.startswith("x-")}
        known = path.partition("?")[0] + (RECURSIVE if RECURSIVE in path else "")
        return Answer(method, known, response.status, kept, text)

    try:
        yield send
    finally:
        connection.close()


def _fill(send: Any) -> None:
    """Create what is read: an issue with comments, a file, and a merge request with a long diff."""
    prose = "The store writes each entry to its file and keeps the file open until the process ends. "
    send("POST", "/projects/:id/issues", "reporter", title="The store leaks a file", description=prose * 18)
    for number in range(COMMENTS):
        who = ("maintainer", "developer", "reporter")[number % 3]
        send("POST", f"/projects/:id/issues/{ISSUE}/notes", who, body=f"{number + 1}. {prose * 3}")
    lines = [
        f"    entry_{number} = load_entry({number}, folder=FOLDER, strict=True)" for number in range(LINES_OF_FILE)
    ]
    source = "\n".join(["def load_all() -> None:", *lines, ""])
    parts = [f"src/app/part_{number}.py" for number in range(FILES_OF_DIFF)]
    files = [{"action": "create", "file_path": path, "content": source} for path in (FILE, *parts)]
    send("POST", "/projects/:id/repository/commits", branch="main", commit_message="Add the store", actions=files)
    # Every tenth line of the first quarter of each file.
    changed = source.replace("5, folder=FOLDER", "5, folder=PARTS")[: len(source) // 4]
    actions = [{"action": "update", "file_path": path, "content": changed + source[len(changed) :]} for path in parts]
    send(
        "POST",
        "/projects/:id/repository/commits",
        "developer",
        branch=BRANCH,
        start_branch="main",
        commit_message="Split the store",
        actions=actions,
    )
    fields = {"source_branch": BRANCH, "target_branch": "main", "title": "Split the store", "description": prose * 3}
    send("POST", "/projects/:id/merge_requests", "developer", **fields)


def _record(send: Any, members: list[str]) -> Iterator[Answer]:
    """Send what tools send, reads first; a path that is not here gets 404 from the stub."""
    issue, merge_request = f"/projects/:id/issues/{ISSUE}", f"/projects/:id/merge_requests/{MERGE_REQUEST}"
    file = f"/projects/:id/repository/files/{quote(FILE, safe='')}"
    for path in (
        "/user",
        "/version",
        "/metadata",
        "/personal_access_tokens/self",
        "/projects/:id",
        "/projects/:id/members/all?per_page=100",
        *members,
        "/projects/:id/issues",
        issue,
        f"{issue}/notes?per_page=100",
        f"{issue}/discussions?per_page=100",
        f"{issue}/related_merge_requests",
        f"{issue}/closed_by",
        "/projects/:id/repository/tree?per_page=100",
        f"/projects/:id/repository/tree{RECURSIVE}&per_page=100",
        "/projects/:id/repository/branches",
        "/projects/:id/repository/branches/main",
        f"/projects/:id/repository/branches/{BRANCH}",
        "/projects/:id/repository/commits",
        "/projects/:id/repository/commits/main",
        f"{file}?ref=main",
        f"{file}/raw?ref=main",
        merge_request,
        f"{merge_request}/diffs?per_page=100",
        f"{merge_request}/changes",
        f"{merge_request}/versions",
        f"{merge_request}/commits",
        f"{merge_request}/notes",
        f"{merge_request}/discussions",
    ):
        yield send("GET", path)
    created = [{"action": "create", "file_path": path, "content": text} for path, text in NEW_FILES.items()]
    yield send("POST", f"{issue}/notes", "developer", body=NOTE)
    yield send("POST", f"{merge_request}/notes", "developer", body=NOTE)
    yield send("POST", "/projects/:id/repository/branches", "developer", branch=NEW_BRANCH, ref="main")
    commit = {"branch": NEW_BRANCH, "commit_message": MESSAGE, "actions": created}
    yield send("POST", "/projects/:id/repository/commits", "developer", **commit)
    fields = {"source_branch": NEW_BRANCH, "target_branch": "main", "title": TITLE}
    yield send("POST", "/projects/:id/merge_requests", "developer", **fields)
    yield Answer("GET", "/projects/:id/merge_requests", 200, {"content-type": "application/json"}, "[]")


def record(path: Path) -> None:
    """Write the answers to a file: {"url": the sandbox's address, "answers": [an Answer as an object, ...]}."""
    with Sandbox() as sandbox, _requests(sandbox) as send:
        _fill(send)
        people = json.loads(send("GET", "/projects/:id/members/all?per_page=100").body)
        answers = [asdict(answer) for answer in _record(send, [f"/users/{person['id']}" for person in people])]
        path.write_text(json.dumps({"url": sandbox.url, "answers": answers}), encoding="utf-8")
