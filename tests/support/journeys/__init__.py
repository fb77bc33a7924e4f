"""What an agent does, step by step: played through an MCP client, and by the Claude Code CLI in tests/e2e."""

import re
from collections.abc import Generator
from typing import Any, NamedTuple


class Step(NamedTuple):
    """A call of a tool of the server, or of one of the agent's `own`: Read, Edit."""

    tool: str
    arguments: dict[str, Any]
    own: bool = False


# It is sent the answer to each step and works out the next one from it.
Journey = Generator[Step, str, None]


def found(pattern: str, answer: str) -> str:
    """What the group of `pattern` is in an answer."""
    match = re.search(pattern, answer, re.MULTILINE)
    assert match, f"no {pattern} in: {answer}"
    return match[1]
