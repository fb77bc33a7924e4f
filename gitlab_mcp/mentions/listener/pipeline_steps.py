"""The steps of the pipeline: how it is started, started once, and followed to its end."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.mention_notes import retell
from gitlab_mcp.api.trigger import seconds_of
from gitlab_mcp.config.job_context import SUBJECT_VARIABLES
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal, NotFound, Unreachable
from gitlab_mcp.mentions.context import ThreadNote, pipeline_inputs, pipeline_variables
from gitlab_mcp.mentions.decision import Enqueue
from gitlab_mcp.mentions.listener.endings import PipelineEnd, jobs_of, outcome_of
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.listener.work import PipelineSubject, StepWork, logger

CLOCK_MARGIN = 60.0  # how far GitLab's clock may be from this one's
LOOK_UP_PAGES = 10  # of 100 pipelines each, newest first
CONTEXT_NOTES = 100  # newest comments, for AI_FLOW_CONTEXT
LONGEST_PIPELINE = 36 * 3600.0  # GitLab drops a job that no runner takes, or that ended unnoticed, within a day
LONGEST_POLL = 60.0
REMEMBERED = 20_000  # variables of pipelines
PAYLOAD_VARIABLE = "TRIGGER_PAYLOAD"

# What the header of a CI configuration declares: https://docs.gitlab.com/ci/inputs/
HEADER = re.compile(r"\A(?:---\s*\n)?(?P<header>(?:(?!---\s*$).*\n)*?)---\s*$", re.MULTILINE)
INPUTS = ("claude_noteable", "claude_note", "claude_tracking_note", "claude_digest")
DEFAULT_CI_FILE = ".gitlab-ci.yml"
NO_VARIABLES = "Insufficient permissions to set pipeline variables"
REMEDIES = {
    NO_VARIABLES: (
        "This project allows no pipeline variables, and its .gitlab-ci.yml declares no inputs. Declare the inputs of"
        " docs/mentions.md in .gitlab-ci.yml, or allow variables in Settings > CI/CD > Variables > Minimum role to use"
        " pipeline variables."
    ),
    "would have been empty": (
        "No job of .gitlab-ci.yml runs in a pipeline that a trigger token started: check its rules."
    ),
    "Missing CI config file": "The default branch has no .gitlab-ci.yml: add the job of docs/setup.md.",
    "Reference not found": "The branch of the pipeline does not exist.",
}
NO_RUNNER = "Still waiting for a runner: none has taken the job yet. Settings > CI/CD > Runners shows which there are."
NO_TRIGGER = (
    "GitLab does not know the trigger token of this project: create one in Settings > CI/CD > Pipeline triggers."
)


class PipelineRefused(Failure):
    """GitLab refuses the pipeline; the text is for the note."""


def begin(work: StepWork) -> StoredMention | None:
    """Begin to start the pipeline, unless somebody has stopped it already."""
    if work.mention.stopped_by:
        return work.advance(State.CLOSING, memory=PipelineEnd("stopped").values())
    return work.advance(State.STARTING, asked_at=0.0, memory={"first_asked": time.time()})


def start(work: StepWork) -> StoredMention | None:
    """Start the pipeline, or find the one that GitLab started although its response was lost. Raises a Failure.

    The trigger API has no idempotency key. So the store says that GitLab is about to be asked before it is, and where
    it was asked before, by this process or by one that was killed, its pipelines are looked through first. GitLab may
    still be working on the lost request, so that it is asked again only after `lost_answer_seconds`.
    """
    if work.mention.asked_at:
        if pipeline := _started_before(work):
            return _running(work, pipeline)
        left = work.mention.asked_at + work.config.lost_answer_seconds - time.time()
        if left > 0:
            return work.later(min(left, LONGEST_POLL))
    if work.mention.stopped_by:
        return work.advance(State.CLOSING, memory=PipelineEnd("stopped").values())
    body = _body(work)
    asking = work.service.store.note_down(work.mention, asked_at=time.time())
    try:
        pipeline = work.gitlab.post(f"{work.project_path}/trigger/pipeline", body).number("id")
    except AnswerLost:
        raise
    except NotFound as refused:
        raise PipelineRefused(NO_TRIGGER) from refused
    except GitLabRefusal as refused:
        if refused.status >= 500:
            raise
        work.service.store.note_down(asking, asked_at=0.0)  # nothing was started
        if refused.status in (0, 429):
            raise
        raise PipelineRefused(_explained(refused)) from refused
    except Unreachable as unreachable:
        if unreachable.transient:  # there was no connection
            work.service.store.note_down(asking, asked_at=0.0)
        raise
    if not pipeline:
        raise AnswerLost("GitLab did not say which pipeline it started.")
    return _running(work, pipeline)


def follow(work: StepWork) -> StoredMention | None:
    """Look at the pipeline until it has ended, and cancel it where somebody asked for that. Raises a Failure."""
    path = f"{work.project_path}/pipelines/{work.mention.pipeline}"
    if work.mention.stopped_by and not work.mention.memory.get("canceled"):
        try:
            work.gitlab.post(f"{path}/cancel", {})
        except NotFound:
            return work.advance(State.CLOSING, memory=PipelineEnd("deleted").values())
        work.service.store.note_down(work.mention, memory={**work.mention.memory, "canceled": True})
    try:
        pipeline = work.gitlab.get(path)
    except NotFound:
        return work.advance(State.CLOSING, memory=PipelineEnd("deleted").values())
    if outcome := outcome_of(pipeline):
        return work.advance(State.CLOSING, memory=outcome.values())
    age = time.time() - work.mention.changed_at
    if age > work.config.no_runner_seconds and work.mention.note and not work.mention.memory.get("told"):
        _tell_no_runner(work)
    if age > LONGEST_PIPELINE:
        outcome = PipelineEnd("given up", pipeline.url("web_url"))
        return work.advance(State.CLOSING, memory=outcome.values())
    return work.later(max(work.config.poll_seconds, min(LONGEST_POLL, age / 20)))


def _tell_no_runner(work: StepWork) -> None:
    """Say in the note that no runner has taken a job yet, once."""
    if not any(job.text("started_at") for job in jobs_of(work, work.mention.pipeline)):
        with suppress(NotFound):
            retell(work.gitlab, work.place, work.mention.note, NO_RUNNER)
            logger.warning("no runner yet", extra={"fields": {"mention": work.mention.id}})
    work.service.store.note_down(work.mention, memory={**work.mention.memory, "told": True})


def _running(work: StepWork, pipeline: int) -> StoredMention | None:
    return work.advance(State.RUNNING, seconds=work.config.poll_seconds, pipeline=pipeline)


def _body(work: StepWork) -> dict[str, Any]:
    """The body of the request to the trigger API. Raises PipelineRefused where there is no trigger token."""
    candidate, memory = work.candidate, work.mention.memory
    token = work.config.trigger_token(work.target, work.mention.project_id)
    body: dict[str, Any] = {"token": token, "ref": _ref(work)}
    project = work.gitlab.project(str(work.mention.project_id))
    if work.service.clients.takes_inputs(work.target) and configuration_declares_inputs(
        work.gitlab, work.project_path, project, body["ref"]
    ):
        return {**body, "inputs": pipeline_inputs(candidate, work.mention.note)}
    enqueue = Enqueue(str(memory["request"]), int(memory["follow_up"]))
    return {**body, "variables": pipeline_variables(candidate, enqueue, work.mention.note, _thread_notes(work))}


def configuration_declares_inputs(gitlab: GitLab, project_path: str, project: Entity, ref: str) -> bool:
    """Whether the CI configuration of a project declares the inputs of a mention. Raises a Failure.

    GitLab would make a failed pipeline where it gets inputs that are not declared (Ci::PipelineTriggerService keeps
    pipelines with an invalid configuration). A configuration in another project cannot be read here.
    """
    path = project.text("ci_config_path") or DEFAULT_CI_FILE
    if "@" in path or "://" in path:
        return False
    try:
        content = gitlab.raw(f"{project_path}/repository/files/{segment(path)}/raw", ref=ref)
    except NotFound:
        return False
    return declares_inputs(content.decode("utf-8", "replace"))


def declares_inputs(text: str) -> bool:
    """Whether the header of a CI configuration declares all inputs of a mention."""
    header = HEADER.search(text)
    return header is not None and all(re.search(rf"(?m)^\s+{name}\s*:", header["header"]) for name in INPUTS)


def _ref(work: StepWork) -> str:
    """The default branch; where the configuration says so, the source branch of a merge request of this project."""
    default = str(work.mention.memory["default_branch"])
    if work.target.ref != "source" or work.candidate.subject.kind != "merge_requests":
        return default
    merge_request = work.gitlab.get(work.noteable_path)
    is_fork = merge_request.number("source_project_id") != merge_request.number("target_project_id")
    return default if is_fork else merge_request.text("source_branch") or default


def _thread_notes(work: StepWork) -> Iterator[ThreadNote]:
    if work.candidate.subject.kind == "commits":
        discussions = work.gitlab.page(f"{work.noteable_path}/discussions", 1, CONTEXT_NOTES).rows
        notes = [note for discussion in discussions for note in discussion.entities("notes")]
    else:
        query = {"sort": "desc", "order_by": "created_at", "activity_filter": "only_comments"}
        notes = work.gitlab.page(f"{work.noteable_path}/notes", 1, CONTEXT_NOTES, **query).rows
    for note in notes:
        yield ThreadNote(
            id=note.number("id"),
            author=note.text("author", "username"),
            created_at=note.text("created_at"),
            text=note.text("body"),
            updated_at=note.text("updated_at"),
            internal=note.flag("internal") or note.flag("confidential"),
            system=note.flag("system"),
        )


def _started_before(work: StepWork) -> int:
    """The pipeline of this mention that GitLab has; 0 for none. Raises a Failure."""
    since = float(work.mention.memory["first_asked"]) - CLOCK_MARGIN
    number: int | None = 1
    while number and number <= LOOK_UP_PAGES:
        page = work.gitlab.page(
            f"{work.project_path}/pipelines", number, 100, source="trigger", order_by="id", sort="desc"
        )
        for pipeline in page.rows:
            if seconds_of(pipeline.text("created_at")) < since:
                return 0
            if _is_of(work, pipeline.number("id")):
                return pipeline.number("id")
        number = page.next_number
    return 0


def _is_of(work: StepWork, pipeline: int) -> bool:
    mention, inputs = work.mention, pipeline_inputs(work.candidate, 0)
    if pipeline == mention.memory.get("old_pipeline"):
        return False
    started_for = _started_for(work, pipeline)
    is_same = (started_for.note, started_for.digest) == (inputs["claude_note"], inputs["claude_digest"])
    is_same &= bool(started_for.note) or started_for.noteable == inputs["claude_noteable"]
    return is_same and not work.service.store.has_pipeline(mention.project_id, pipeline, mention.id)


def _started_for(work: StepWork, pipeline: int) -> PipelineSubject:
    """What a pipeline was started for, which never changes; an empty value where it was not started for a mention.

    The variable TRIGGER_PAYLOAD holds the inputs (Ci::PipelineTriggerService#payload_variable).
    """
    known, key = work.service.started_for, (work.mention.project_id, pipeline)
    if key not in known:
        try:
            rows = work.gitlab.every(f"{work.project_path}/pipelines/{pipeline}/variables")
        except GitLabRefusal as refused:
            if refused.status not in (403, 404):
                raise
            rows = []  # deleted, or not shown to the listener's role
        if len(known) >= REMEMBERED:
            known.clear()
        known[key] = subject_of({row.text("key"): row.text("value") for row in rows})
    return known[key]


def subject_of(variables: Mapping[str, str]) -> PipelineSubject:
    """What a pipeline with these variables was started for."""
    try:
        inputs = Entity(json.loads(variables.get(PAYLOAD_VARIABLE, ""))).entity("inputs")
    except ValueError:
        inputs = Entity(None)
    noteables = [f"{kind}/{variables[name]}" for name, kind in SUBJECT_VARIABLES.items() if variables.get(name)]
    return PipelineSubject(
        next(iter(noteables), inputs.text("claude_noteable")),
        variables.get("GITLAB_MCP_NOTE") or inputs.text("claude_note"),
        variables.get("GITLAB_MCP_DIGEST") or inputs.text("claude_digest"),
    )


def _explained(refused: GitLabRefusal) -> str:
    """Why GitLab refused the pipeline, and which setting to change."""
    for text, remedy in REMEDIES.items():
        if text in refused.reason:
            return remedy
    return f"GitLab refused to start a pipeline: {refused.reason or refused.status}."
