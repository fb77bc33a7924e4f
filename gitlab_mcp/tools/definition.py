"""What makes a function a tool: its definition, which holds all that is stated about it."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

# The default of a text that "" would empty. None would make the SDK read JSON out of what is given.
UNCHANGED = "\0"


@dataclass(frozen=True)
class ToolDefinition:
    """A tool: its function (whose name, docstring and parameters are the tool's) and what is stated about it."""

    function: Callable[..., str]
    toolset: str
    writes: bool
    destructive: bool
    idempotent: bool
    always_load: bool
    job_token: bool
    opt_in: bool

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        first = (inspect.getdoc(self.function) or "").split("\n")[0]
        return re.split(r"(?<=\.) ", first)[0]


def tool(
    *,
    toolset: str,
    writes: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    always_load: bool = False,
    job_token: bool = True,
    opt_in: bool = False,
) -> Callable[[Callable[..., str]], ToolDefinition]:
    """Make a tool of a function whose first parameter is the Ctx and whose docstring is for the model.

    `destructive`: it can undo or overwrite something. `idempotent`: a second equal call changes nothing more.
    `always_load`: every run needs it, so clients that defer tool definitions should not defer this one. `job_token`:
    GitLab lets a job token do it, over REST or git; else a run that has nothing more does not list it. `opt_in`: listed
    only where its name or its toolset is asked for.
    """

    def define(function: Callable[..., str]) -> ToolDefinition:
        repeatable = idempotent or not writes
        return ToolDefinition(function, toolset, writes, destructive, repeatable, always_load, job_token, opt_in)

    return define
