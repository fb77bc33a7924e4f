"""`python -m gitlab_mcp` is the command gitlab-mcp-server."""

from gitlab_mcp.cli.entry import run

run()
