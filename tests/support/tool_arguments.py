"""Arguments for any tool, from the examples that the tools have."""

import inspect
from typing import Any

from gitlab_mcp.tools.definition import ToolDefinition
from gitlab_mcp.tools.examples import EXAMPLES


def example(tool: ToolDefinition, *, every: bool = False) -> dict[str, Any]:
    """A right call of a tool: with no more arguments than it needs, or with `every` one but the project."""
    parameters = list(inspect.signature(tool.function).parameters.values())[1:]
    taken = [each.name for each in parameters if each.default is each.empty or (every and each.name != "project")]
    return {name: EXAMPLES[name] for name in taken}
