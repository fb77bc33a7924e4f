"""An MCP server that lets an agent work on a GitLab project."""

__version__ = "0.2.0"
