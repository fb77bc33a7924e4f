"""The first step: who asked, may that person, and what is to be done."""

import time
from datetime import UTC, datetime

from gitlab_mcp.api.merge_requests import own_for_issue
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import NotFound
from gitlab_mcp.mentions.decision import Enqueue, Ignore, Refuse, Stop
from gitlab_mcp.mentions.judging import Facts, judge
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.listener.work import StepWork

HOUR = 3600.0


def judge_mention(work: StepWork) -> StoredMention | None:
    """Ask GitLab about the person and the subject, and decide. Raises a Failure."""
    candidate, store, number = work.candidate, work.service.store, work.mention.id
    try:
        project = work.gitlab.get(work.project_path)
        subject = work.gitlab.get(work.noteable_path)
    except NotFound:
        return work.advance(State.IGNORED, reason="GitLab no longer shows the project, or what the event is about.")
    path = project.text("path_with_namespace")
    if not work.target.covers(path):
        return work.advance(State.IGNORED, reason="The project is at another path than its webhook said.")
    job_user = work.service.clients.job_user(work.target)
    role, is_human = _role(work, candidate.person.id), _is_human(work, candidate.person.id)
    own_merge_request = _own_merge_request(work, job_user or work.gitlab.user.number("id"))
    is_fork = None
    if candidate.subject.kind == "merge_requests":
        is_fork = subject.number("source_project_id") != subject.number("target_project_id")
    now, project_id = time.time(), work.mention.project_id
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    with work.service.judging:
        facts = Facts(
            settings=work.target.settings_with((work.gitlab.user.number("id"), job_user)),
            role=role,
            is_human=is_human,
            person_runs=store.runs_since(now - HOUR, project_id, person=candidate.person.id, without=number),
            project_runs=store.runs_since(now - HOUR, project_id, without=number),
            spent_today=store.spent_since(today, project_id),
            was_refused_today=store.last_refusal(project_id, candidate.thread, candidate.person.id, number) >= today,
            own_merge_request=own_merge_request,
            is_fork=is_fork,
        )
        match judge(candidate, facts):
            case Ignore(reason):
                return work.advance(State.IGNORED, reason=reason)
            case Refuse(answer):
                return work.advance(State.REFUSING, memory={"answer": answer})
            case Stop(discussion):
                return work.advance(State.STOPPING, memory={"discussion": discussion})
            case Enqueue(request, follow_up):
                memory = {"request": request, "follow_up": follow_up, "default_branch": project.text("default_branch")}
                return work.advance(State.ACCEPTED, memory=memory)


def _role(work: StepWork, person: int) -> int:
    """The access level of a person, inherited ones included; 0 for none."""
    try:
        return work.gitlab.get(f"{work.project_path}/members/all/{person}").number("access_level")
    except NotFound:
        return 0


def _is_human(work: StepWork, person: int) -> bool:
    try:
        return not work.gitlab.get(f"/users/{person}").flag("bot")
    except NotFound:
        return False


def _own_merge_request(work: StepWork, author: int) -> int:
    """The iid of the newest open merge request of `author`, the user of the runs, for the issue; 0 for none."""
    subject = work.candidate.subject
    if subject.kind != "issues":
        return 0
    issue = Noteable("issue", Project(work.gitlab, str(work.mention.project_id)), int(subject.reference))
    return own_for_issue(issue, author).number("iid")
