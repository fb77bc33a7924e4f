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

from gitlab_mcp.config.environment import is_ci, variable

Noun = Literal["issue", "merge request"]

# GitLab gives at most 100,000 characters of context; a webhook's body may hold a description of a million.
LONGEST_VARIABLE = 4_000_000

USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
PLAIN_BRANCH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}")
NUMBER = re.compile(r"\d{1,18}")
DISCUSSION = re.compile(r"[0-9a-f]{40}")

# Words that stand for themselves, so that a variable cannot bring others.
# https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
SOURCES = (
    *("api", "chat", "external", "external_pull_request_event", "merge_request_event", "ondemand_dast_scan"),
    *("ondemand_dast_validation", "parent_pipeline", "pipeline", "push", "schedule", "security_orchestration_policy"),
    *("trigger", "web", "webide"),
)
EVENTS = (
    *("mention", "assign", "assign_reviewer", "merge_request_ready", "conflict", "approved", "work_item_created"),
    "status_changed",
)


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
    guessed = job.noun and not variable(environ, "CI_MERGE_REQUEST_IID")
    told = _of_payload(job, _payload(environ), environ)
    told = _of_flow_context(told, variable(environ, "AI_FLOW_CONTEXT")[:LONGEST_VARIABLE], environ)
    event = variable(environ, "AI_FLOW_EVENT").lower()
    discussion = _fitting(DISCUSSION, variable(environ, "AI_FLOW_DISCUSSION_ID").rpartition("/")[2])
    if told.noun is None or (guessed and told is job):
        discussion = ""  # it is not known what it is a discussion of
    return replace(
        told,
        event=event if event in EVENTS else told.event,
        discussion=discussion or told.discussion,
        asked_by=told.asked_by or _fitting(USERNAME, variable(environ, "GITLAB_USER_LOGIN")),
        input=environ.get("AI_FLOW_INPUT", "")[:LONGEST_VARIABLE] or told.input,
    )


def _pipeline(environ: Mapping[str, str]) -> JobContext:
    """What the pipeline itself is about: its merge request, or the only one that is open for its branch."""

    def branch(name: str) -> str:
        return _fitting(PLAIN_BRANCH_NAME, variable(environ, name))

    job = JobContext(
        pipeline=_fitting(NUMBER, variable(environ, "CI_PIPELINE_ID")),
        source=source if (source := variable(environ, "CI_PIPELINE_SOURCE")) in SOURCES else "",
        branch=branch("CI_COMMIT_BRANCH"),
    )
    if iid := _number(variable(environ, "CI_MERGE_REQUEST_IID")):
        project = _fitting(NUMBER, variable(environ, "CI_MERGE_REQUEST_PROJECT_ID"))
        origin = variable(environ, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        return replace(
            job,
            noun="merge request",
            iid=iid,
            project_id=project if project != variable(environ, "CI_PROJECT_ID") else "",
            branch=branch("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            target_branch=branch("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
            foreign=bool(origin) and origin != variable(environ, "CI_PROJECT_ID"),
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
                given = file.read(LONGEST_VARIABLE)
        except (OSError, ValueError):
            return None
    return _parsed(given[:LONGEST_VARIABLE])


def _of_payload(job: JobContext, payload: object, environ: Mapping[str, str]) -> JobContext:
    """The comment that a Note Hook tells of, and what it was written on."""
    note = _inside(payload, "object_attributes")
    if not isinstance(payload, dict) or payload.get("object_kind") != "note" or not note:
        return job
    noun: Noun = "merge request" if note.get("noteable_type") == "MergeRequest" else "issue"
    subject = _inside(payload, "merge_request" if noun == "merge request" else "issue")
    project = {"project_id": payload.get("project_id"), "web_url": note.get("url")}
    told = _about(job, noun, {**project, **_inside(payload, "project"), **subject}, environ)
    return replace(
        told,
        event="mention",
        discussion=_fitting(DISCUSSION, _text(note.get("discussion_id"))) if told.noun else "",
        asked_by=_fitting(USERNAME, _text(_inside(payload, "user").get("username"))),
        input=_text(note.get("note")),
    )


def _of_flow_context(job: JobContext, text: str, environ: Mapping[str, str]) -> JobContext:
    """The issue or merge request in AI_FLOW_CONTEXT: a flat object as GitLab sends it, or one inside another."""
    if not text:
        return job
    parsed = _parsed(text)
    subject = parsed if isinstance(parsed, dict) else {}
    noun = _noun(subject)
    for name in ("issue", "merge_request", "work_item"):
        if wrapped := _inside(subject, name):
            subject, noun = {**subject, **wrapped}, "merge request" if name == "merge_request" else "issue"
            break
    if noun is None or not _number(subject.get("iid")):
        return replace(job, unread=text)
    told = _about(job, noun, {**subject, "full_path": variable(environ, "AI_FLOW_PROJECT_PATH")}, environ)
    comments = _words(subject.get("mr_comments" if noun == "merge request" else "issue_comments"))
    return replace(told, comments=comments, diff=_text(subject.get("diff")))


def _about(job: JobContext, noun: Noun, subject: Mapping[str, Any], environ: Mapping[str, str]) -> JobContext:
    """A run about `subject`, of which nothing remains that the pipeline alone would have been about.

    What is in another project than the job's own is only told of: its number means another thing here.
    """
    iid, own = _number(subject.get("iid")), job.noun == noun and job.iid == _number(subject.get("iid"))
    told = replace(job, title=_text(subject.get("title")), description=_text(subject.get("description")))
    if own and job.project_id:
        return told  # the merge request of this pipeline, which is in the project that it was forked from
    bare = replace(told, noun=None, iid=0, project_id="", discussion="", foreign=False)
    bare = replace(bare, branch=variable(environ, "CI_COMMIT_BRANCH") and bare.branch, target_branch="")
    if not iid or _is_elsewhere(subject, environ):
        return bare
    if noun == "issue":
        return replace(bare, noun=noun, iid=iid)
    source, target = subject.get("source_project_id"), subject.get("target_project_id")
    return replace(
        bare,
        noun=noun,
        iid=iid,
        branch=_fitting(PLAIN_BRANCH_NAME, _text(subject.get("source_branch"))) or (job.branch if own else ""),
        target_branch=_fitting(PLAIN_BRANCH_NAME, _text(subject.get("target_branch")))
        or (job.target_branch if own else ""),
        foreign=(own and job.foreign) or (source is not None and source != target),
    )


def _is_elsewhere(subject: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether something is in another project than the job's own, by any of the names that it comes with."""
    path, identity = variable(environ, "CI_PROJECT_PATH").lower(), variable(environ, "CI_PROJECT_ID")
    ids = [_number(subject.get(name)) for name in ("target_project_id", "project_id")]
    paths = [_text(subject.get(name)) for name in ("full_path", "path_with_namespace")]
    if found := re.search(r"^(?:https?://[^/]+)?/?(.+?)/-/", _text(subject.get("web_url"))):
        paths.append(found[1])
    other_id = any(number and str(number) != identity for number in ids)
    # Below a relative URL a web address has more before the project's path.
    relative_url = re.sub(r"^https?://[^/]*", "", variable(environ, "CI_SERVER_URL").lower()).strip("/")
    own = (path, f"{relative_url}/{path}")
    return other_id or any(path and named and named.lower() not in own for named in paths)


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
    return value[:LONGEST_VARIABLE] if isinstance(value, str) else ""


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
