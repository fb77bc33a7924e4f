"""The MCP server: everything that speaks the protocol, and nothing below this package does."""
