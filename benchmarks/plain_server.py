"""A plain server on the MCP SDK, run as a program: one tool, which sends one request."""

import http.client
import json
import os
from urllib.parse import urlsplit

from mcp.server.mcpserver import MCPServer

server = MCPServer("plain")


@server.tool(structured_output=False)
def get_issue(iid: str) -> str:
    """Read an issue."""
    connection = http.client.HTTPConnection(urlsplit(os.environ["GITLAB_URL"]).netloc, timeout=60)
    headers = {"PRIVATE-TOKEN": os.environ["GITLAB_ACCESS_TOKEN"]}
    connection.request("GET", f"/api/v4/projects/acme%2Fapp/issues/{iid}", headers=headers)
    issue = json.loads(connection.getresponse().read())
    connection.close()
    return f"# {issue['title']}\n\n{issue['description']}"


server.run("stdio")
