"""Doing what an answer says comes next, call after call, as an agent does."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from gitlab_mcp.render.markdown import ANSWER_BYTES
from tests.support.agent import Agent

NEXT = re.compile(
    r"\nnext: (?:(?P<tool>\w+) (?P<given>\{.*\})|(?:the same call with )?(?P<words>\w+ \d+(?:, \w+ \d+)*))\Z"
)
FENCED = re.compile(r"\n(`{3,})\n(.*?)\n\1(?=\n|\Z)", re.DOTALL)


def next_call(answer: str, tool: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The call that an answer to `tool` with `arguments` ends with; None where nothing comes next."""
    if not (said := NEXT.search(answer)):
        assert "\nnext: " not in answer, answer[-300:]
        return None
    if said["tool"]:
        return said["tool"], json.loads(said["given"])
    changes = {name: int(value) for name, value in (word.split(" ") for word in said["words"].split(", "))}
    return tool, {**arguments, **changes}


async def followed(agent: Agent, tool: str, **arguments: Any) -> AsyncIterator[str]:
    """An answer and all that follow it, each in the bounds of one."""
    call: tuple[str, dict[str, Any]] | None = (tool, arguments)
    while call:
        answer = await agent.call(call[0], **call[1])
        assert len(answer.encode()) <= ANSWER_BYTES
        yield answer
        following = next_call(answer, *call)
        assert following != call
        call = following


def fenced(answer: str) -> list[str]:
    """The code in an answer, fence by fence."""
    return [code for _, code in FENCED.findall(answer)]
