"""How a run of Claude Code ended, with the exit code and the sentences for people of each ending."""

import re
from enum import Enum

from gitlab_mcp.claude_code.events import SessionEnd

# What Claude Code says where no response of the model's API has a status: no key at all, or a sign-in that ended.
SIGN_IN = re.compile(r"/login|API key|authentication|credential|unauthorized", re.IGNORECASE)


class Ending(Enum):
    """How a run ended. The names, in lower case, are the words for reports.

    `exit_code` is 0 for done, and for refused: the job worked, and what asked for it was edited or deleted since, or
    must not be worked on. It is 1 for failed, 2 for the configuration, 3 for out of turns, budget or time, and 143 as
    after SIGTERM for canceled. `heading` stands before the duration. `reason` says why the run ended so, `remedy` how
    to try again; both are "" where it is done.
    """

    DONE = (0, "Done in", "", "")
    FAILED = (1, "Failed after", "Claude Code ended with an error.", "To try again, retry the job.")
    OUT_OF_TURNS = (
        3,
        "Stopped after",
        "The job reached its maximum number of turns.",
        "To try again, ask for a smaller step, or retry the job with a higher max_turns (--max-turns).",
    )
    OUT_OF_BUDGET = (
        3,
        "Stopped after",
        "The job reached its maximum cost.",
        "To try again, ask for a smaller step, or retry the job with a higher max_budget (--max-budget).",
    )
    OUT_OF_TIME = (
        3,
        "Stopped after",
        "The job reached its time limit.",
        "To try again, ask for a smaller step, or retry the job with a longer timeout (--timeout).",
    )
    CANCELED = (143, "Canceled after", "The job was canceled.", "To try again, retry the job.")
    SIGN_IN_FAILED = (
        2,
        "Failed after",
        "The model's API did not accept the credential of this job.",
        "Correct ANTHROPIC_API_KEY, or the sign-in to the cloud, in Settings > CI/CD > Variables, and retry the job.",
    )
    MODEL_UNREACHABLE = (
        1,
        "Failed after",
        "The model's API could not be reached, or was overloaded.",
        "To try again, retry the job in a few minutes.",
    )
    KILLED = (
        1,
        "Failed after",
        "Claude Code ended without a result, as when it is killed.",
        "To try again, retry the job; if it ends so again, its runner may have too little memory.",
    )
    NOT_STARTED = (
        2,
        "Failed after",
        "Claude Code could not be started.",
        "Correct the job in .gitlab-ci.yml, and start it again; gitlab-mcp-server doctor shows what is missing.",
    )
    REFUSED = (0, "Not started after", "Nothing was done.", "")
    NO_TOOLS = (
        2,
        "Failed after",
        "The tools for GitLab could not be used, so the model was not asked.",
        "Run gitlab-mcp-server doctor in the job: it shows what is wrong. Then retry the job.",
    )

    def __init__(self, exit_code: int, heading: str, reason: str, remedy: str) -> None:
        self.exit_code = exit_code
        self.heading = heading
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return self.name.lower()


def ending_of(end: SessionEnd | None) -> Ending:
    """The ending by the last event, for a run that nobody stopped; None: the process ended without one."""
    if end is None:
        return Ending.KILLED
    if not end.is_error:
        return Ending.DONE
    kinds = f"{end.subtype} {end.reason}"
    if "max_turns" in kinds:
        return Ending.OUT_OF_TURNS
    if "budget" in kinds:
        return Ending.OUT_OF_BUDGET
    if end.status in (401, 403) or (not end.status and SIGN_IN.search(end.text)):
        return Ending.SIGN_IN_FAILED
    is_transient = end.status in (0, 408, 429) or end.status >= 500
    return Ending.MODEL_UNREACHABLE if "api_error" in kinds and is_transient else Ending.FAILED
