"""Journeys through an MCP client, and the pages that show them word for word."""

import json
import os
import re
from difflib import unified_diff
from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent
from tests.support.journeys import Journey, Step
from tests.support.paths import REPOSITORY

BLOCK = re.compile(r"^````\n.*?^````$", re.MULTILINE | re.DOTALL)
COMMIT = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b"


class Transcript:
    """Calls of an agent and their answers, as a page has them."""

    def __init__(self, sandbox: Sandbox, work: Path | None = None) -> None:
        self.calls: list[str] = []
        self._url = sandbox.url
        self._work = work
        self._commits: set[str] = set()  # how the ids begin that were told so far

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
        """Do what Claude Code's tools of these names do; an edit is shown as the difference that it makes."""
        path = Path(step.arguments["file_path"])
        before = path.read_text()
        if step.tool == "Read":
            return before
        assert self._work is not None
        assert before.count(step.arguments["old_string"]) == 1
        after = before.replace(step.arguments["old_string"], step.arguments["new_string"])
        path.write_text(after)
        change = unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
        shown = "\n".join(list(change)[2:])  # without the names of the files
        self.calls.append(f"````\n{step.tool} {path.relative_to(self._work)}\n\n{shown}\n````")
        return ""

    def _settled(self, text: str) -> str:
        """A text as it would be on another day, with another commit."""
        text = text.replace(self._url, "https://gitlab.example.com")
        self._commits.update(re.findall(r"(?:\b(?:at|head:|commit|Committed) |/commit/)([0-9a-f]{8})", text))
        for known in self._commits:
            text = re.sub(rf"\b{known}[0-9a-f]*\b", lambda match: COMMIT[: len(match[0])], text)
        return re.sub(r"\b\d{4}-\d\d-\d\d\b", "2026-11-25", text)

    def assert_shown(self, name: str, test: str) -> None:
        """The page docs/`name` has these calls, and no others; GOLDEN=update writes them into it."""
        path = REPOSITORY / "docs" / name
        blocks = BLOCK.findall(path.read_text())
        if os.environ.get("GOLDEN") == "update":
            assert len(blocks) == len(self.calls)
            calls = iter(self.calls)
            path.write_text(BLOCK.sub(lambda _: next(calls), path.read_text()))
            blocks = self.calls
        assert blocks == self.calls, f"if that is wanted: GOLDEN=update scripts/test tests/{test}"


def given(arguments: dict[str, Any]) -> str:
    """Arguments as a page has them: on one line, unless one of them holds more than plain values."""
    deep = any(isinstance(each, dict) for value in arguments.values() if isinstance(value, list) for each in value)
    return json.dumps(arguments, ensure_ascii=False, indent=2 if deep else None)
