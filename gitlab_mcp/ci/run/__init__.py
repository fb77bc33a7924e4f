"""`gitlab-mcp-server run`: Claude Code is started in a CI job, watched and reported on."""
