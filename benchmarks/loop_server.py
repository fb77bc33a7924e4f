"""The smallest thing that an MCP client takes for a server: a loop of the standard library, run as a program.

Its argument is a file with the result of tools/list.
"""

import json
import sys

with open(sys.argv[1], "rb") as file:  # noqa: PTH123  # nothing more is imported than answering needs
    tools = json.load(file)
greeting = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "loop", "version": "1"},
}
for line in sys.stdin.buffer:
    message = json.loads(line)
    if "id" in message:
        result = {"initialize": greeting, "tools/list": tools}.get(message["method"], {})
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
        sys.stdout.flush()
