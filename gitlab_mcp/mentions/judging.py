"""The decision about a candidate, from what GitLab and the store say about it."""

from dataclasses import dataclass

from gitlab_mcp.api.identity import ROLES
from gitlab_mcp.mentions.decision import Decision, Enqueue, Ignore, Refuse, Stop
from gitlab_mcp.mentions.screening import NOT_CONFIGURED, Candidate, ProjectSettings, ignored

LOWEST_ROLE = 10  # Guest: who has only Minimal Access in a group sees no project

FORK_ANSWER = (
    "No run was started: this merge request comes from another project, whose code does not run with the secrets of"
    " this one. A member of the project can push the branch here and open a merge request from it."
)


@dataclass(frozen=True)
class Facts:
    """What GitLab and the store say about a candidate at the time of the decision.

    `settings` are those of the project as they are now; None where the configuration does not name it any more. `role`
    is the access level of the person in the project, 0 for none. `is_human` is whether GitLab's API says that the user
    is not a bot. The counts are of the runs that were started in the last hour, in this project, without this one.
    `spent_today` is in US dollars, from the results of today's runs. `was_refused_today` is whether this person was
    already refused today in `candidate.thread`. `own_merge_request` is the iid of our open merge request for the issue,
    0 for none. `is_fork` is whether the merge request comes from another project, None where only the payload tells it.
    """

    settings: ProjectSettings | None
    role: int
    is_human: bool = True
    person_runs: int = 0
    project_runs: int = 0
    spent_today: float = 0
    was_refused_today: bool = False
    own_merge_request: int = 0
    is_fork: bool | None = None


def judge(candidate: Candidate, facts: Facts) -> Decision:
    """Return what is to be done about a candidate.

    Who has no role in the project gets no answer, so that strangers cannot make the bot write comments.
    """
    if facts.settings is None:
        return Ignore(NOT_CONFIGURED)
    if reason := ignored(facts.settings, candidate.person, confidential=candidate.confidential):
        return Ignore(reason)
    if not facts.is_human:
        return Ignore("The user is a bot.")
    if facts.role < LOWEST_ROLE:
        return Ignore("The user has no role in the project.")
    comment = candidate.comment
    if comment and comment.is_stop and facts.role >= facts.settings.minimum_role:
        return Stop(candidate.discussion if candidate.is_reply else "")
    if answer := _refusal(candidate, facts, facts.settings):
        if facts.was_refused_today:
            return Ignore("The user was refused in this thread today already.")
        return Refuse(answer)
    follow_up = facts.own_merge_request if candidate.subject.kind == "issues" else 0
    return Enqueue(comment.request if comment else "", follow_up)


def _refusal(candidate: Candidate, facts: Facts, settings: ProjectSettings) -> str:
    """Why no run is started, for the person; "" where one may be."""
    if facts.role < settings.minimum_role:
        role = ROLES.get(settings.minimum_role, "Owner")
        return f"No run was started: that takes the role {role} or a higher one in this project."
    if facts.is_fork if facts.is_fork is not None else candidate.subject.is_fork:
        return FORK_ANSWER
    if candidate.comment and candidate.comment.problem:
        return f"No run was started: {candidate.comment.problem} Please write a new comment."
    if facts.person_runs >= settings.hourly_per_person:
        return (
            f"No run was started: you have started {facts.person_runs} in the last hour, and the limit is"
            f" {settings.hourly_per_person} for one person. Please try again later."
        )
    if facts.project_runs >= settings.hourly_per_project:
        return (
            f"No run was started: {facts.project_runs} were started in this project in the last hour, and the limit is"
            f" {settings.hourly_per_project}. Please try again later."
        )
    if settings.daily_budget is not None and facts.spent_today >= settings.daily_budget:
        return (
            f"No run was started: the runs of this project have cost ${facts.spent_today:,.2f} today, and the limit is"
            f" ${settings.daily_budget:,.2f}. Please try again tomorrow, or ask a maintainer to raise the limit."
        )
    return ""
