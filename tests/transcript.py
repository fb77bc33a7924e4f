"""Journeys through an MCP client, and the pages that show them word for word."""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.journeys import Journey, Step
from tests.support import REPOSITORY, Agent

BLOCK = re.compile(r"^````\n.*?^````$", re.MULTILINE | re.DOTALL)


class Transcript:
    """Calls of an agent and their answers, as a page has them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.calls: list[str] = []
        self._url = sandbox.url

    async def play(self, agent: Agent, journey: Journey) -> None:
        """Take every step of `journey`."""
        step = next(journey)
        while True:
            answer = self._by_hand(step) if step.own else await self._call(agent, step)
            try:
                step = journey.send(answer)
            except StopIteration:
                return

    async def _call(self, agent: Agent, step: Step) -> str:
        answer = await agent.call(step.tool, **step.arguments)
        asked = f"{step.tool} {given(step.arguments)}"
        self.calls.append(f"````\n{self._settled(asked)}\n\n{self._settled(answer)}\n````")
        return answer

    def _by_hand(self, step: Step) -> str:
        """What Claude Code's tools of these names do."""
        path = Path(step.arguments["file_path"])
        before = path.read_text()
        if step.tool == "Edit":
            old, new = step.arguments["old_string"], step.arguments["new_string"]
            assert before.count(old) == 1
            path.write_text(before.replace(old, new))
            self.calls.append(f"````\nEdit {path.name}\n\n{difference(before, path.read_text())}\n````")
        return before

    def _settled(self, text: str) -> str:
        """A text as it would be on another day, with another commit."""
        text = text.replace(self._url, "https://gitlab.example.com")
        text = re.sub(r"\b(at|head:) [0-9a-f]{12}\b", r"\1 1a2b3c4d5e6f", text)
        text = re.sub(r"\b(at|commit|Committed|none\.) [0-9a-f]{8}\b", r"\1 1a2b3c4d", text)
        text = re.sub(r"/commit/[0-9a-f]{40}\b", "/commit/1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b", text)
        return re.sub(r"\b\d{4}-\d\d-\d\d\b", "2026-11-25", text)

    def assert_shown(self, name: str, test: str) -> None:
        """The page docs/`name` has these calls, and no others; GOLDEN=update writes them into it."""
        path = REPOSITORY / "docs" / name
        page = path.read_text()
        blocks = BLOCK.findall(page)
        if os.environ.get("GOLDEN") == "update":
            for block, call in zip(blocks, self.calls, strict=True):
                page = page.replace(block, call, 1)
            path.write_text(page)
            blocks = self.calls
        assert blocks == self.calls, f"if that is wanted: GOLDEN=update scripts/test tests/{test}"


def difference(before: str, after: str) -> str:
    """A change as a person reads it."""
    rows = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""))
    return "\n".join(rows[2:])


def given(arguments: dict[str, Any]) -> str:
    """Arguments as a page has them: on one line, unless one of them holds more than plain values."""
    deep = any(isinstance(each, dict) for value in arguments.values() if isinstance(value, list) for each in value)
    return json.dumps(arguments, ensure_ascii=False, indent=2 if deep else None)
