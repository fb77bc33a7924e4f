"""The MCP server: everything that speaks the protocol. No package below this one does."""
