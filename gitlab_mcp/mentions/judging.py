"""The decision about a candidate, from what GitLab and the store say about it."""

from dataclasses import dataclass

from gitlab_mcp.mentions.decision import Decision
from gitlab_mcp.mentions.screening import Candidate, ProjectSettings


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
    """Return what is to be done about a candidate."""
    raise NotImplementedError
