"""What this server and other MCP servers for GitLab do with the same tasks on a sandbox: docs/comparison.md."""
