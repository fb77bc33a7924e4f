"""The definition of a tool, and the decorator that makes one out of a function."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from gitlab_mcp.render.attachments import Picture

# What a tool returns: text, or an image with a text.
Answer = str | Picture

# The default of a text argument for which "" means "clear the field". With the default None, the SDK would parse the
# text as JSON.
UNCHANGED = "\0"


@dataclass(frozen=True)
class ToolDefinition:
    """A tool: the function that gives it name, description and parameters, and the properties that `tool` explains."""

    function: Callable[..., Answer]
    toolset: str
    writes: bool
    destructive: bool
    idempotent: bool
    always_load: bool
    job_token: bool
    opt_in: bool

    @property
    def name(self) -> str:
        """The name of the tool, such as `create_branch`."""
        return self.function.__name__

    @property
    def summary(self) -> str:
        """The first sentence of the description."""
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
) -> Callable[[Callable[..., Answer]], ToolDefinition]:
    """Make a tool out of a function: its first parameter is a Ctx, its docstring the description for the model.

    `writes`: it changes something on GitLab. `destructive`: it can undo or overwrite something. `idempotent`: a second
    equal call changes nothing more. `always_load`: every run needs it, so that clients that defer tool definitions
    should not defer this one. `job_token`: GitLab allows it with a job token, over REST or git; otherwise a run with
    only a job token does not list it. `opt_in`: it is listed only if --tools names it or --toolsets its toolset.
    """

    def define(function: Callable[..., Answer]) -> ToolDefinition:
        repeatable = idempotent or not writes
        return ToolDefinition(function, toolset, writes, destructive, repeatable, always_load, job_token, opt_in)

    return define
