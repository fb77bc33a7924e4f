"""The tools, one module per GitLab noun."""

from gitlab_mcp.tools import (
    artifacts,
    attachments,
    branches,
    commits,
    discussions,
    files,
    issues,
    job,
    merge_request_diffs,
    merge_requests,
    merging,
    my_work,
    notes,
    pipelines,
    project,
    reviews,
    search,
)
from gitlab_mcp.tools.definition import ToolDefinition

# The order in which tools are listed: by module, then as they stand in it.
MODULES = (
    issues,
    notes,
    attachments,
    merge_requests,
    files,
    branches,
    commits,
    search,
    job,
    merge_request_diffs,
    reviews,
    discussions,
    pipelines,
    artifacts,
    merging,
    my_work,
    project,
)

TOOLS: tuple[ToolDefinition, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, ToolDefinition)
)
