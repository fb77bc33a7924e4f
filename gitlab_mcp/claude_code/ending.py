"""How a run of Claude Code ended, with the exit code and the sentence for people of each ending."""

from enum import StrEnum

from gitlab_mcp.claude_code.events import SessionEnd


class Ending(StrEnum):
    """How a run ended; the value is the word for reports."""

    DONE = "done"
    FAILED = "failed"
    OUT_OF_TURNS = "out_of_turns"
    OUT_OF_BUDGET = "out_of_budget"
    OUT_OF_TIME = "out_of_time"
    CANCELED = "canceled"
    SIGN_IN_FAILED = "sign_in_failed"
    MODEL_UNREACHABLE = "model_unreachable"
    KILLED = "killed"
    NOT_STARTED = "not_started"
    NO_TOOLS = "no_tools"

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 2 configuration, 3 out of turns, budget or time, 143 canceled."""
        raise NotImplementedError

    @property
    def heading(self) -> str:
        """The words before the duration, such as "Done in" or "Failed after"."""
        raise NotImplementedError

    @property
    def reason(self) -> str:
        """A sentence that says why the run ended; "" for DONE."""
        raise NotImplementedError

    @property
    def remedy(self) -> str:
        """A sentence that says how to try again; "" for DONE."""
        raise NotImplementedError


def ending_of(end: SessionEnd | None) -> Ending:
    """The ending by the last event, for a run that nobody stopped; None: the process ended without one."""
    raise NotImplementedError
