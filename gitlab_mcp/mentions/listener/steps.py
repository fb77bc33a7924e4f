"""Which step follows which state, and where a mention goes whose step is given up."""

from collections.abc import Callable, Mapping

from gitlab_mcp.mentions.listener.answering_steps import announce, close, fail, react, refuse, stop
from gitlab_mcp.mentions.listener.judging_step import judge_mention
from gitlab_mcp.mentions.listener.pipeline_steps import begin, follow, start
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.listener.work import StepWork

StepFunction = Callable[[StepWork], StoredMention | None]

STEP_AFTER: Mapping[State, StepFunction] = {
    State.RECEIVED: judge_mention,
    State.ACCEPTED: react,
    State.SEEN: announce,
    State.ANNOUNCED: begin,
    State.STARTING: start,
    State.RUNNING: follow,
    State.CLOSING: close,
    State.FAILING: fail,
    State.REFUSING: refuse,
    State.STOPPING: stop,
}

# Where somebody waits for a run, its note says why there is none; elsewhere nothing can be said any more.
GIVEN_UP: Mapping[State, State] = {
    State.RECEIVED: State.FAILED,
    State.ACCEPTED: State.FAILING,
    State.SEEN: State.FAILING,
    State.ANNOUNCED: State.FAILING,
    State.STARTING: State.FAILING,
    State.RUNNING: State.FAILING,
    State.CLOSING: State.FAILED,
    State.FAILING: State.FAILED,
    State.REFUSING: State.FAILED,
    State.STOPPING: State.FAILED,
}
