"""The rows of the comparison: each does something with a server on a sandbox of its own, and says what came of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable

import requests

from benchmarks.comparison.client import Client, connected
from benchmarks.comparison.servers import (
    ARTIFACT,
    BRANCH,
    CHANGE,
    COMMENT,
    DRAFT,
    FILE,
    FILES,
    IMAGE,
    ISSUE,
    OTHER_FILE,
    WORKFLOW,
    Server,
)
from benchmarks.machine import REPOSITORY
from benchmarks.process import ServerError
from benchmarks.start import IDLE
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import send
from tests.support.seed import SEED

Probe = Callable[[Server], str]

CRASH, HOSTILE = SEED.crash_issue.iid, SEED.hostile_issue.iid
NO_TOOL, NO_SETTING = "no tool", "no setting"
_SECRET = "glpat-AbCdEfGhIjKlMnOpQrSt"  # noqa: S105 - in the description of the hostile issue
_REPORT = "1 failed, 2 passed"  # in report.txt of the failed job
_REMARK = "Please rename this."
_TITLE = "Crash when the config file is empty"
_COMMENT_READ = "I can look at it."  # of the developer, on the crash issue
_INVISIBLE = re.compile("[\u200b\u00ad\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
# One transparent pixel.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def workflow(server: Server) -> str:
    """Read an issue and a file, open a merge request with two files and comment on the issue: how many calls."""
    with connected(server) as client:
        text = "".join(_done(client, task) for task in WORKFLOW)
        _check_change(client)
        calls = sum(len(server.tasks[task]) for task in WORKFLOW)
        assert _comments(client) == 1, "the comment is missing"
        return str(calls) if _COMMENT_READ in text else f"{calls}, without the comments of the issue"


def definitions(server: Server) -> str:
    """The size of what a model receives of the tools that are listed by default: names, descriptions, schemas."""
    with connected(server) as client:
        listed = client.process.tools()["tools"]
    tools = [{name: tool.get(name) for name in ("name", "description", "inputSchema")} for tool in listed]
    size = len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{size:,} bytes ({_count(len(tools))})"


def all_tools(server: Server) -> str:
    """The number of tools with everything switched on."""
    with connected(server, server.all_tools) as client:
        return _count(len(client.process.tools()["tools"]))


def start(server: Server) -> str:
    """The time from the start of the process to the list of tools, as docs/performance.md has it."""
    _, _, measured = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8").partition(f"**{IDLE}**")
    row = re.search(rf"^\| {re.escape(server.name)} \|[^|]*\| *([\d,]+) \|", measured, re.MULTILINE)
    return f"{row[1]} ms" if row else "not measured"


def job_token(server: Server) -> str:
    """What works in a job of a private project that allows jobs to push; its only credential is CI_JOB_TOKEN."""
    works = []
    try:
        with connected(server, job=True) as client:
            allow_job_pushes(client.sandbox)
            send(client.sandbox, "PUT", "", "maintainer", visibility="private")
            if not _attempt(client, FILE):
                works.append("reads files")
            if not _attempt(client, CHANGE):
                _check_change(client)
                works.append("opens merge requests")
            text = client.do(ISSUE, issue=CRASH).text  # of the calls before one that is refused, too
            if _TITLE in text:
                works.append("reads issues" if _COMMENT_READ in text else "reads issues without comments")
            if not _attempt(client, COMMENT):
                works.append("comments")
    except ServerError:
        return "does not start"
    return ", ".join(works) or "nothing"


def lost_response(server: Server) -> str:
    """GitLab creates a comment and the response is lost: how many comments there are when the call has succeeded."""
    with connected(server) as client:
        client.sandbox.faults.drop("POST", f"/issues/{CRASH}/(notes|discussions)", when="after")
        failed = _attempt(client, COMMENT)
        if failed:
            _done(client, COMMENT)
        comments = _comments(client)
    count = f"{comments} comment{'s' if comments != 1 else ''}"
    return f"an error; repeated, {count}" if failed else count


def quick_actions(server: Server) -> str:
    """Whether a line `/close` in a comment that an agent writes closes the issue."""
    with connected(server) as client:
        refused = client.do(COMMENT, issue=CRASH, body="The cause is below.\n\n/close").failed
        closed = client.get(SEED.crash_issue.path)["state"] == "closed"
    return "refused" if refused else "run" if closed else "neutralized"


def mentions(server: Server) -> str:
    """Whether `@all` in a comment that an agent writes notifies everybody."""
    with connected(server) as client:
        before = len(client.sandbox.mentions)
        refused = client.do(COMMENT, issue=CRASH, body="@all: the cause is found.").failed
        everybody = "all" in {mention["username"] for mention in client.sandbox.mentions[before:]}
    return "refused" if refused else "notifies everybody" if everybody else "neutralized"


def invisible(server: Server) -> str:
    """Whether characters that a person cannot see reach the model with an issue."""
    with connected(server) as client:
        text = _done(client, ISSUE, issue=HOSTILE)
    return "passed on" if _INVISIBLE.search(text) else "removed or escaped"


def secrets(server: Server) -> str:
    """Whether a token that somebody wrote into an issue reaches the model."""
    with connected(server) as client:
        shown = _SECRET in _done(client, ISSUE, issue=HOSTILE)
    if not shown:
        return "redacted"
    if server.redacting is None:
        return "shown"
    with connected(server, server.redacting) as client:
        still = _SECRET in _done(client, ISSUE, issue=HOSTILE)
    return "shown" if still else f"shown; redacted with `{next(iter(server.redacting))}`"


def image(server: Server) -> str:
    """In which form an image that is attached to an issue reaches the model."""
    with connected(server, server.all_tools) as client:
        if not client.can(IMAGE):
            return NO_TOOL
        upload = _upload(client)
        _, _, secret, name = upload.split("/")
        answer = client.do(IMAGE, secret=secret, name=name, upload=upload)
    if answer.failed:
        return "fails"
    encoded = base64.b64encode(_PNG).decode()
    if any(block["type"] == "image" and block["data"] == encoded for block in answer.blocks):
        return "as an image"
    return "as text in base64" if encoded in answer.text else "saved to a file"


def artifact(server: Server) -> str:
    """Whether one file of a job's artifacts can be read."""
    with connected(server, _flat(server)) as client:
        if not client.can(ARTIFACT):
            return NO_TOOL
        [pipeline] = client.get("/pipelines?status=failed")
        [job] = [job for job in client.get(f"/pipelines/{pipeline['id']}/jobs") if job.get("artifacts_file")]
        answer = client.do(ARTIFACT, job=job["id"])
    if answer.failed:
        return "fails"
    if _REPORT in answer.text:
        return "as text"
    return "as text in base64" if base64.b64encode(f"{_REPORT}\n".encode()).decode() in answer.text else "fails"


def draft(server: Server) -> str:
    """Whether a comment of a review can wait as a draft until a person publishes it."""
    with connected(server, _flat(server)) as client:
        if not client.can(DRAFT):
            return NO_TOOL
        answer = client.do(DRAFT, body=_REMARK)
        published = any(_REMARK in note["body"] for note in client.get(f"{SEED.merge_request.path}/notes"))
        kept = any(_REMARK in note["note"] for note in client.get(f"{SEED.merge_request.path}/draft_notes"))
    return "yes" if kept and not published and not answer.failed else "no"


def read_only(server: Server) -> str:
    """Whether a setting refuses all writes."""
    if server.read_only is None:
        return NO_SETTING
    with connected(server, server.read_only) as client:
        for task in (CHANGE, COMMENT):
            if not _attempt(client, task):
                return f"a {task} is written"
        sent = [one for one in client.sandbox.faults.requests() if one["method"] != "GET"]
    return "yes" if not sent else "refused only by GitLab"


def one_project(server: Server) -> str:
    """Whether a setting restricts a run to one project, with a token that can read others."""
    if server.one_project is None:
        return NO_SETTING
    with connected(server, server.one_project) as client:
        own = _done(client, FILE)
        assert "load_config" in own
        refused = client.do(OTHER_FILE).failed
        asked = [one for one in client.sandbox.faults.requests() if "private-notes" in one["path"]]
    if not refused:
        return "another project is read"
    return "yes" if not asked else "refused after GitLab was asked"


def relative_url(server: Server) -> str:
    """Whether a GitLab under a path, such as https://host/gitlab, works."""
    with connected(server, prefix="/gitlab") as client:
        return "yes" if not _attempt(client, FILE) else "no"


def _done(client: Client, task: str, issue: int = CRASH) -> str:
    """The text of a task that must succeed. Raises ServerError."""
    answer = client.do(task, issue=issue, body="Done.")
    if answer.failed:
        raise ServerError(f"{client.server.name}: {task} failed: {answer.text[:500]}")
    return answer.text


def _attempt(client: Client, task: str) -> bool:
    """Do a task, and return whether it failed."""
    return client.do(task, issue=CRASH, body="Done.").failed


def _check_change(client: Client) -> None:
    """The branch has the files, and its merge request is open."""
    assert len(client.get(f"/merge_requests?source_branch={BRANCH}")) == 1, "the merge request is missing"
    for path, content in FILES.items():
        file = client.get(f"/repository/files/{path}?ref={BRANCH}")
        assert base64.b64decode(file["content"]).decode() == content


def _comments(client: Client) -> int:
    """How often the comment is on the issue."""
    return sum(note["body"] == "Done." for note in client.get(f"{SEED.crash_issue.path}/notes?per_page=100"))


def _upload(client: Client) -> str:
    """Upload an image to the project; returns its path in Markdown, /uploads/SECRET/NAME."""
    url = f"{client.sandbox.url}/api/v4/projects/{client.sandbox.project_id}/uploads"
    headers = {"PRIVATE-TOKEN": client.sandbox.tokens["developer"]}
    created = requests.post(url, headers=headers, files={"file": ("screen.png", _PNG)}, timeout=30).json()
    return str(created["url"])


def _flat(server: Server) -> dict[str, str]:
    """All tools of a server, except where that changes their names."""
    return {name: value for name, value in server.all_tools.items() if value != "individual"}


def _count(tools: int) -> str:
    return f"{tools} tools"


PROBES: dict[str, Probe] = {
    "From an issue to a merge request, in calls": workflow,
    "Definitions of the tools that are listed by default": definitions,
    "Tools in all": all_tools,
    "Start to the list of tools": start,
    "With `CI_JOB_TOKEN` alone": job_token,
    "The response to a comment is lost": lost_response,
    "`/close` in a comment that the agent writes": quick_actions,
    "`@all` in a comment that the agent writes": mentions,
    "Invisible characters in an issue": invisible,
    "A token in an issue": secrets,
    "An image in an issue": image,
    "A file of a job's artifacts": artifact,
    "A review as drafts": draft,
    "Read-only": read_only,
    "Restricted to one project": one_project,
    "GitLab under a path": relative_url,
}
