"""The steps that people see: the eyes reaction, the tracking note, answers, and the end of an open note."""

from gitlab_mcp.api.mention_notes import answer_once, close_after, is_gone, waiting_note
from gitlab_mcp.errors import GitLabRefusal, NotFound
from gitlab_mcp.mentions.listener.backoff import is_transient
from gitlab_mcp.mentions.listener.endings import PipelineEnd, cost_of, jobs_of
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.listener.work import StepWork, logger

WAITING_TEXT = "Waiting for a runner."
TAKEN = "already been taken"
TRY_AGAIN = "To try again, write the comment again."


def react(work: StepWork) -> StoredMention | None:
    """Give the comment, or what was labeled or assigned, its eyes reaction. Raises a Failure.

    GitLab answers 404 where this user has already reacted so (lib/api/award_emoji.rb), and where there is no comment.
    """
    candidate = work.candidate
    if candidate.subject.kind != "commits":  # comments on commits take no reactions over REST
        path = f"{work.noteable_path}/notes/{candidate.note}" if candidate.note else work.noteable_path
        try:
            work.gitlab.post(f"{path}/award_emoji", {"name": "eyes"})
        except NotFound as failure:
            if TAKEN not in failure.reason and is_gone(work.gitlab, work.place):
                return work.advance(State.IGNORED, reason="The comment, or what it is about, was deleted.")
        except GitLabRefusal as refused:
            if is_transient(refused):
                raise
            logger.warning("no reaction", extra={"fields": {"mention": work.mention.id, "status": refused.status}})
    elif is_gone(work.gitlab, work.place):
        return work.advance(State.IGNORED, reason="The comment, or what it is about, was deleted.")
    return work.advance(State.SEEN)


def announce(work: StepWork) -> StoredMention | None:
    """Post the tracking note as a reply to the comment, unless the job's user is another one. Raises a Failure.

    A run edits only notes of its own user, and finds the note by the id of the comment.
    """
    if not work.candidate.note or work.service.clients.job_user(work.target):
        return work.advance(State.ANNOUNCED)
    try:
        again = bool(work.mention.memory.get("again"))
        number, is_ended = waiting_note(work.gitlab, work.place, WAITING_TEXT, again=again)
    except NotFound:
        if is_gone(work.gitlab, work.place):
            return work.advance(State.IGNORED, reason="The comment, or what it is about, was deleted.")
        raise
    if is_ended:
        return work.advance(State.DONE, reason="The mention was answered before.", note=number)
    return work.advance(State.ANNOUNCED, note=number)


def refuse(work: StepWork) -> StoredMention | None:
    """Answer why nothing runs. Raises a Failure."""
    _answer(work, str(work.mention.memory["answer"]))
    return work.advance(State.REFUSED)


def stop(work: StepWork) -> StoredMention | None:
    """Have the runs of the thread canceled, and say who did it. Raises a Failure."""
    person = work.candidate.person.username
    count = work.service.store.stop(work.mention, person, whole_subject=not work.mention.memory.get("discussion"))
    runs = "1 run was" if count == 1 else f"{count} runs were"
    _answer(work, f"{runs} stopped by {person}." if count else "Nothing is running here.")
    return work.advance(State.STOPPED)


def close(work: StepWork) -> StoredMention | None:
    """Close the note where no run did it, and record what the run cost. Raises a Failure."""
    outcome = PipelineEnd(**work.mention.memory["outcome"])
    jobs = jobs_of(work, work.mention.pipeline)
    _close(work, [str(job.number("id")) for job in jobs], outcome.text(jobs, work.mention.stopped_by))
    return work.advance(State.DONE, cost_usd=cost_of(work, jobs))


def fail(work: StepWork) -> StoredMention | None:
    """Say in the note why the mention was given up. Raises a Failure."""
    _close(work, [], f"{work.mention.reason} {TRY_AGAIN}")
    return work.advance(State.FAILED, reason=work.mention.reason)


def _close(work: StepWork, jobs: list[str], text: str) -> None:
    other = work.service.clients.job_user(work.target)
    try:
        close_after(work.gitlab, work.place, work.name, jobs, lambda old: _with_steps(text, old), other)
    except NotFound:
        if not is_gone(work.gitlab, work.place):
            raise


def _answer(work: StepWork, text: str) -> None:
    try:
        answer_once(work.gitlab, work.place, work.name, text)
    except NotFound:
        if not is_gone(work.gitlab, work.place):
            raise


def _with_steps(text: str, old: str) -> str:
    """`text` above the steps that the run had noted in its note."""
    steps = [line for line in old.splitlines() if line.startswith("- [")]
    return "\n\n".join(filter(None, (text, "\n".join(steps))))
