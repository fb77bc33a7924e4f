"""An MCP server that gives an agent hands on a GitLab project."""

__version__ = "0.1.0"
