"""The issue or merge request that a CI job is about, read from its variables, which are untrusted input.

CI_*: https://docs.gitlab.com/ci/variables/predefined_variables/. AI_FLOW_*: set by GitLab for external agents, or by a
webhook relay in the same form (https://docs.gitlab.com/user/duo_agent_platform/agents/external/).
TRIGGER_PAYLOAD: the body of a webhook that called a pipeline trigger
(https://docs.gitlab.com/ci/triggers/#access-webhook-payload).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gitlab_mcp.config.environment import is_ci, variable

Noun = Literal["issue", "merge request"]

# In characters. GitLab sends at most 100,000 of context; a webhook's body may hold a description of a million.
LONGEST_VARIABLE = 4_000_000

USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
PLAIN_BRANCH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}")
# What git accepts as the name of a branch or tag: https://git-scm.com/docs/git-check-ref-format
REF_NAME = re.compile(
    r"(?![-/.])(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)|[/.]$))[^\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]{1,255}"
)
NUMBER = re.compile(r"\d{1,18}")
# The variables in which a listener gives a pipeline the number of what it is about, and what that is in GitLab's API.
SUBJECT_VARIABLES = {"GITLAB_MCP_ISSUE": "issues", "GITLAB_MCP_MERGE_REQUEST": "merge_requests"}
DISCUSSION = re.compile(r"[0-9a-f]{40}")

# Only these values are accepted, so that a variable cannot inject other text.
# https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
SOURCES = (
    *("api", "chat", "external", "external_pull_request_event", "merge_request_event", "ondemand_dast_scan"),
    *("ondemand_dast_validation", "parent_pipeline", "pipeline", "push", "schedule", "security_orchestration_policy"),
    *("trigger", "web", "webide"),
)
EVENTS = (
    *("mention", "assign", "assign_reviewer", "merge_request_ready", "conflict", "approved", "work_item_created"),
    "status_changed",
    "label",  # of our own listener: GitLab starts nothing by a label
)


@dataclass(frozen=True)
class JobContext:
    """What a run is about.

    Numbers and usernames have a plain form, names of branches and tags one that git accepts; the texts from `input` on
    are untrusted user content. `discussion` is the id of the discussion to reply in, `note` that of the comment that
    asked. `asked_by` is the username of the person who started the run, `asked_at` the time, in ISO 8601. `branch` is
    the merge request's source branch, else the branch that the pipeline runs for; `tag` is the tag that it runs for.
    `foreign` is whether the merge request comes from another project, which this job cannot push to; then a branch of
    this project that is called like `branch` is another one. `project_id` is the id of the merge request's project,
    where that is not the job's own. `continues` is the iid of the open merge request of an earlier run, whose branch a
    run on an issue goes on with; 0 for none.
    """

    event: str = ""
    noun: Noun | None = None
    iid: int = 0
    project_id: str = ""
    continues: int = 0
    discussion: str = ""
    note: int = 0
    asked_by: str = ""
    asked_at: str = ""
    pipeline: str = ""
    source: str = ""
    branch: str = ""
    target_branch: str = ""
    tag: str = ""
    foreign: bool = False
    input: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    comments: str = field(default="", repr=False)
    diff: str = field(default="", repr=False)
    unread: str = field(default="", repr=False)
    """The text of AI_FLOW_CONTEXT, where its format is not known."""

    @property
    def sign(self) -> str:
        """`#7` or `!12`; "" when the run is about neither."""
        return f"{'#' if self.noun == 'issue' else '!'}{self.iid}" if self.noun else ""


def read_job(environ: Mapping[str, str]) -> JobContext:
    """Read the context of a CI job from its variables; an empty context outside CI.

    A value that is not valid is left out; nothing is raised.
    """
    asked_at = iso_time(variable(environ, "GITLAB_MCP_ASKED_AT"))
    if not is_ci(environ):
        return JobContext(asked_at=asked_at)
    pipeline = _pipeline_context(environ)
    guessed = pipeline.noun and not variable(environ, "CI_MERGE_REQUEST_IID")
    context = _with_payload(pipeline, _payload(environ), environ)
    context = _with_flow_context(context, variable(environ, "AI_FLOW_CONTEXT")[:LONGEST_VARIABLE], environ)
    event = variable(environ, "AI_FLOW_EVENT").lower()
    discussion = _matching(DISCUSSION, variable(environ, "AI_FLOW_DISCUSSION_ID").rpartition("/")[2])
    if context.noun is None or (guessed and context is pipeline):
        discussion = ""  # it is not known which issue or merge request the discussion belongs to
    return replace(
        context,
        event=event if event in EVENTS else context.event,
        discussion=discussion or context.discussion,
        asked_by=context.asked_by or _matching(USERNAME, variable(environ, "GITLAB_USER_LOGIN")),
        asked_at=asked_at or context.asked_at,
        input=environ.get("AI_FLOW_INPUT", "")[:LONGEST_VARIABLE] or context.input,
    )


def _pipeline_context(environ: Mapping[str, str]) -> JobContext:
    """What the pipeline itself is about: its merge request, or the only open merge request of its branch."""

    def branch(name: str) -> str:
        return _ref_name(variable(environ, name))

    job = JobContext(
        pipeline=_matching(NUMBER, variable(environ, "CI_PIPELINE_ID")),
        source=source if (source := variable(environ, "CI_PIPELINE_SOURCE")) in SOURCES else "",
        branch=branch("CI_COMMIT_BRANCH"),
        tag=branch("CI_COMMIT_TAG"),
    )
    if iid := _number(variable(environ, "CI_MERGE_REQUEST_IID")):
        project = _matching(NUMBER, variable(environ, "CI_MERGE_REQUEST_PROJECT_ID"))
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
    """The webhook's body: GitLab sets TRIGGER_PAYLOAD to the path of a file, a relay may set it to the text itself."""
    payload = variable(environ, "TRIGGER_PAYLOAD")
    if payload and not payload.startswith(("{", "[")):
        try:
            if not Path(payload).is_file():  # reading a pipe could block
                return None
            with Path(payload).open(encoding="utf-8", errors="replace") as file:
                payload = file.read(LONGEST_VARIABLE)
        except (OSError, ValueError):
            return None
    return _parsed(payload[:LONGEST_VARIABLE])


def _with_payload(job: JobContext, payload: object, environ: Mapping[str, str]) -> JobContext:
    """`job` with the comment of a Note Hook's payload, and the issue or merge request that it was written on."""
    note = _inside(payload, "object_attributes")
    if not isinstance(payload, dict) or payload.get("object_kind") != "note" or not note:
        return job
    noun: Noun = "merge request" if note.get("noteable_type") == "MergeRequest" else "issue"
    subject = _inside(payload, "merge_request" if noun == "merge request" else "issue")
    project = {"project_id": payload.get("project_id"), "web_url": note.get("url")}
    context = _about(job, noun, {**project, **_inside(payload, "project"), **subject}, environ)
    return replace(
        context,
        event="mention",
        discussion=_matching(DISCUSSION, _text(note.get("discussion_id"))) if context.noun else "",
        note=_number(note.get("id")) if context.noun else 0,
        asked_by=_matching(USERNAME, _text(_inside(payload, "user").get("username"))),
        asked_at=iso_time(_text(note.get("created_at"))),
        input=_text(note.get("note")),
    )


def _with_flow_context(job: JobContext, text: str, environ: Mapping[str, str]) -> JobContext:
    """`job` with the issue or merge request of AI_FLOW_CONTEXT: a flat object as GitLab sends it, or a nested one."""
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
    context = _about(job, noun, {**subject, "full_path": variable(environ, "AI_FLOW_PROJECT_PATH")}, environ)
    comments = _comments_text(subject.get("mr_comments" if noun == "merge request" else "issue_comments"))
    return replace(context, comments=comments, diff=_text(subject.get("diff")))


def _about(job: JobContext, noun: Noun, subject: Mapping[str, Any], environ: Mapping[str, str]) -> JobContext:
    """The context of a run about `subject`, in place of what the pipeline alone would be about.

    Where `subject` is in another project than the job's own, only its texts are kept: its iid would mean another issue
    or merge request in this project.
    """
    iid, own = _number(subject.get("iid")), job.noun == noun and job.iid == _number(subject.get("iid"))
    with_texts = replace(job, title=_text(subject.get("title")), description=_text(subject.get("description")))
    if own and job.project_id:
        return with_texts  # the merge request of this pipeline, which is in the project that it was forked from
    only_texts = replace(with_texts, noun=None, iid=0, project_id="", discussion="", foreign=False)
    only_texts = replace(
        only_texts, branch=variable(environ, "CI_COMMIT_BRANCH") and only_texts.branch, target_branch=""
    )
    if not iid or _is_in_other_project(subject, environ):
        return only_texts
    if noun == "issue":
        return replace(only_texts, noun=noun, iid=iid, continues=_number(subject.get("continues")))
    source, target = subject.get("source_project_id"), subject.get("target_project_id")
    return replace(
        only_texts,
        noun=noun,
        iid=iid,
        branch=_ref_name(_text(subject.get("source_branch"))) or (job.branch if own else ""),
        target_branch=_ref_name(_text(subject.get("target_branch"))) or (job.target_branch if own else ""),
        foreign=(own and job.foreign) or (source is not None and source != target),
    )


def _is_in_other_project(subject: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether any of the project ids, paths and URLs of `subject` belongs to another project than the job's own."""
    path, project_id = variable(environ, "CI_PROJECT_PATH").lower(), variable(environ, "CI_PROJECT_ID")
    ids = [_number(subject.get(name)) for name in ("target_project_id", "project_id")]
    paths = [_text(subject.get(name)) for name in ("full_path", "path_with_namespace")]
    if match := re.search(r"^(?:https?://[^/]+)?/?(.+?)/-/", _text(subject.get("web_url"))):
        paths.append(match[1])
    other_id = any(number and str(number) != project_id for number in ids)
    # Where GitLab is installed under a relative URL, the web URL has more parts before the project's path.
    relative_url = re.sub(r"^https?://[^/]*", "", variable(environ, "CI_SERVER_URL").lower()).strip("/")
    own = (path, f"{relative_url}/{path}")
    return other_id or any(path and other and other.lower() not in own for other in paths)


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


def _comments_text(value: object) -> str:
    """The text of comments, which arrive as one text, a list of texts or a list of notes."""
    if not isinstance(value, list):
        return _text(value)
    return "\n\n".join(
        _text(item.get("note") or item.get("body")) if isinstance(item, Mapping) else _text(item) for item in value
    )


def _number(value: object) -> int:
    """A positive integer, from an integer or its decimal text; 0 for anything else."""
    if isinstance(value, str) and NUMBER.fullmatch(value) and value.isascii():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18 else 0


def iso_time(text: str) -> str:
    """A time with its zone in ISO 8601; "" for anything else.

    Webhooks write it as 2026-11-28 09:30:00 UTC, or +0100 where GitLab has another time zone.
    """
    try:
        time = datetime.fromisoformat(re.sub(r" (?=[+-]\d\d:?\d\d\Z)", "", text.replace(" UTC", "+00:00")))
    except ValueError:
        return ""
    return time.isoformat() if time.tzinfo else ""


def _matching(pattern: re.Pattern[str], text: str) -> str:
    """`text` where all of it matches `pattern` and is ASCII, else ""."""
    return text if pattern.fullmatch(text) and text.isascii() else ""


def _ref_name(text: str) -> str:
    """`text` where git accepts it as the name of a branch or tag, else ""."""
    return text if REF_NAME.fullmatch(text) else ""
