"""The tools, one module per GitLab noun."""

from gitlab_mcp.registry import ToolDefinition
from gitlab_mcp.tools import (
    branches,
    commits,
    desk,
    discussions,
    files,
    issues,
    job,
    jobs,
    merge_request_diffs,
    merge_requests,
    merging,
    notes,
    pipelines,
    project,
    reviews,
    search,
    tags,
)

# The order in which tools are listed: by module, then as they stand in it.
MODULES = (
    issues,
    notes,
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
    jobs,
    merging,
    tags,
    desk,
    project,
)

TOOLS: tuple[ToolDefinition, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, ToolDefinition)
)
