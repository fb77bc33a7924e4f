"""What this run is about: read from the variables of a CI job, all of which somebody else may have written.

CI_*: https://docs.gitlab.com/ci/variables/predefined_variables/. AI_FLOW_*: what GitLab gives to external agents, and a
webhook relay may give in the same form (https://docs.gitlab.com/user/duo_agent_platform/agents/external/).
TRIGGER_PAYLOAD: the body of a webhook that called a pipeline trigger
(https://docs.gitlab.com/ci/triggers/#access-webhook-payload).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from gitlab_mcp.variables import is_ci, variable

Noun = Literal["issue", "merge request"]

# GitLab gives at most 100,000 characters of context; a webhook's body may hold a description of a million.
LONGEST = 4_000_000

USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
NUMBER = re.compile(r"\d{1,18}")
DISCUSSION = re.compile(r"[0-9a-f]{40}")
WORD = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class JobContext:
    """What a run is about. Numbers and names have their form; the texts at the end are other people's words.

    `discussion` is the id of the discussion to answer in. `branch` is the merge request's source branch, else the one
    that the pipeline runs for. `foreign` is whether the merge request comes from another project, which this job
    cannot push to. `project_id` is that of the merge request, where it is not the job's own.
    """

    event: str = ""
    noun: Noun | None = None
    iid: int = 0
    project_id: str = ""
    discussion: str = ""
    asked_by: str = ""
    pipeline: str = ""
    source: str = ""
    branch: str = ""
    target_branch: str = ""
    foreign: bool = False
    input: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    comments: str = field(default="", repr=False)
    diff: str = field(default="", repr=False)
    unread: str = field(default="", repr=False)
    """A context that has no form that is known here, as it came."""

    @property
    def sign(self) -> str:
        """`#7` or `!12`; "" when the run is about neither."""
        return f"{'#' if self.noun == 'issue' else '!'}{self.iid}" if self.noun else ""


def read_job(environ: Mapping[str, str]) -> JobContext:
    """What the variables of this job say. What has not its form is left out; nothing is ever refused."""
    if not is_ci(environ):
        return JobContext()
    job = _pipeline(environ)
    job = _of_payload(job, _payload(environ))
    job = _of_flow_context(job, variable(environ, "AI_FLOW_CONTEXT")[:LONGEST])
    discussion = variable(environ, "AI_FLOW_DISCUSSION_ID").rpartition("/")[2]
    return replace(
        job,
        event=_fitting(WORD, variable(environ, "AI_FLOW_EVENT").lower()) or job.event,
        discussion=_fitting(DISCUSSION, discussion) or job.discussion,
        asked_by=job.asked_by or _fitting(USERNAME, variable(environ, "GITLAB_USER_LOGIN")),
        input=environ.get("AI_FLOW_INPUT", "")[:LONGEST] or job.input,
    )


def _pipeline(environ: Mapping[str, str]) -> JobContext:
    """What the pipeline itself is about: its merge request, or the only one that is open for its branch."""

    def branch(name: str) -> str:
        return _fitting(BRANCH, variable(environ, name))

    job = JobContext(
        pipeline=_fitting(NUMBER, variable(environ, "CI_PIPELINE_ID")),
        source=_fitting(WORD, variable(environ, "CI_PIPELINE_SOURCE")),
        branch=branch("CI_COMMIT_BRANCH"),
    )
    if iid := _number(variable(environ, "CI_MERGE_REQUEST_IID")):
        project = _fitting(NUMBER, variable(environ, "CI_MERGE_REQUEST_PROJECT_ID"))
        source = variable(environ, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        return replace(
            job,
            noun="merge request",
            iid=iid,
            project_id=project if project != variable(environ, "CI_PROJECT_ID") else "",
            branch=branch("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            target_branch=branch("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
            foreign=bool(source) and source != variable(environ, "CI_PROJECT_ID"),
            title=variable(environ, "CI_MERGE_REQUEST_TITLE"),
        )
    listed = variable(environ, "CI_OPEN_MERGE_REQUESTS").split(",")
    project, _, only = listed[0].rpartition("!")
    if len(listed) == 1 and project.lower() == variable(environ, "CI_PROJECT_PATH").lower() and _number(only):
        return replace(job, noun="merge request", iid=_number(only))
    return job


def _payload(environ: Mapping[str, str]) -> object:
    """The webhook's body: GitLab gives the path of a file that holds it, a relay may give the text itself."""
    given = variable(environ, "TRIGGER_PAYLOAD")
    if given and not given.startswith(("{", "[")):
        try:
            if not Path(given).is_file():  # a pipe would be waited for
                return None
            with Path(given).open(encoding="utf-8", errors="replace") as file:
                given = file.read(LONGEST)
        except (OSError, ValueError):
            return None
    return _parsed(given[:LONGEST])


def _of_payload(job: JobContext, payload: object) -> JobContext:
    """The comment that a Note Hook tells of, and what it was written on."""
    note = _inside(payload, "object_attributes")
    if not isinstance(payload, dict) or payload.get("object_kind") != "note" or not note:
        return job
    noun: Noun = "merge request" if note.get("noteable_type") == "MergeRequest" else "issue"
    subject = _inside(payload, "merge_request" if noun == "merge request" else "issue")
    if not (iid := _number(subject.get("iid"))):
        return job
    return replace(
        job,
        event="mention",
        noun=noun,
        iid=iid,
        discussion=_fitting(DISCUSSION, _text(note.get("discussion_id"))),
        asked_by=_fitting(USERNAME, _text(_inside(payload, "user").get("username"))),
        branch=_fitting(BRANCH, _text(subject.get("source_branch"))) or job.branch,
        target_branch=_fitting(BRANCH, _text(subject.get("target_branch"))) or job.target_branch,
        title=_text(subject.get("title")),
        description=_text(subject.get("description")),
        input=_text(note.get("note")),
    )


def _of_flow_context(job: JobContext, text: str) -> JobContext:
    """The issue or merge request in AI_FLOW_CONTEXT: a flat object as GitLab sends it, or one inside another."""
    if not text:
        return job
    parsed = _parsed(text)
    subject = parsed if isinstance(parsed, dict) else {}
    noun = _noun(subject)
    for name, inside in (("issue", "issue"), ("merge_request", "merge request"), ("work_item", "issue")):
        if wrapped := _inside(subject, name):
            subject, noun = {**subject, **wrapped}, "merge request" if inside == "merge request" else "issue"
            break
    iid = _number(subject.get("iid"))
    if noun is None or not iid:
        return replace(job, unread=text)
    told = replace(
        job,
        noun=noun,
        iid=iid,
        title=_text(subject.get("title")),
        description=_text(subject.get("description")),
        comments=_words(subject.get("mr_comments" if noun == "merge request" else "issue_comments")),
        diff=_text(subject.get("diff")),
    )
    if noun == "issue":
        return told
    return replace(
        told,
        branch=_fitting(BRANCH, _text(subject.get("source_branch"))) or job.branch,
        target_branch=_fitting(BRANCH, _text(subject.get("target_branch"))) or job.target_branch,
    )


def _noun(subject: Mapping[str, Any]) -> Noun | None:
    if {"source_branch", "mr_comments", "diff"} & set(subject):
        return "merge request"
    if "issue_comments" in subject or re.search(r"/(issues|work_items)/\d+", _text(subject.get("web_url"))):
        return "issue"
    if "/merge_requests/" in _text(subject.get("web_url")):
        return "merge request"
    return "issue" if "iid" in subject else None


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def _inside(value: object, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _text(value: object) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def _words(value: object) -> str:
    """Comments come as one text or as a list, of texts or of notes."""
    if not isinstance(value, list):
        return _text(value)
    return "\n\n".join(
        _text(item.get("note") or item.get("body")) if isinstance(item, Mapping) else _text(item) for item in value
    )


def _number(value: object) -> int:
    """A positive integer, also as text; 0 for anything else."""
    if isinstance(value, str) and NUMBER.fullmatch(value) and value.isascii():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18 else 0


def _fitting(form: re.Pattern[str], text: str) -> str:
    return text if form.fullmatch(text) and text.isascii() else ""
