"""The journey with an access token: an agent plays it, plain HTTP reads back what is there."""

from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

import requests

from gitlab_mcp.api.entity import Entity
from tests.check_gitlab import facts
from tests.check_gitlab.agent import Refused, connect
from tests.check_gitlab.environment import Place
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Rest

ISSUE = "Check whether gitlab-mcp-server works here"
CONTENT = "This file may be deleted.\n"
# Each text holds what GitLab could change: what looks like a quick action, an escape, blanks inside.
NOTE = "Opened by a check, which closes it again.\n\n/close\n\nüber  `code`"
DESCRIPTION = "One line,\n\n/close\n\nand the two characters \\n in this one."


def inert(text: str) -> str:
    """A text as this server sends it: with a blank before the slash of a line."""
    return text.replace("\n/", "\n /")


@dataclass
class Made:
    """What a run made in the project."""

    branch: str
    path: str
    issue: int = 0
    own_issue: bool = False
    merge_request: int = 0


class Journey:
    """The journey, and what it says of GitLab."""

    def __init__(self, place: Place, rest: Rest, report: Report) -> None:
        self._place = place
        self._rest = rest
        self._report = report
        name = f"check-gitlab-{uuid4().hex[:8]}"
        self.made = Made(branch=name, path=f"{name}.txt")

    async def play(self) -> None:
        """Play it."""
        with self._report.trying(facts.JOURNEY):
            self._find_issue()
            try:
                await self._call_tools()
            except Refused as refused:
                self._report.did_not_hold(facts.JOURNEY, str(refused))
        texts = (facts.BLANK_BEFORE_SLASH, facts.BACKSLASH_N, facts.TEXTS_KEPT)
        with self._report.trying(facts.JOURNEY, *texts, facts.FORCE_REMOVE):
            self._read_back()

    def _find_issue(self) -> None:
        found = self._rest.get("issues?state=opened&per_page=1").needed().rows
        self.made.own_issue = not found
        issue = found[0] if found else self._rest.ask("POST", "issues", {"title": ISSUE}).needed().entity
        self.made.issue = issue.number("iid")

    async def _call_tools(self) -> None:
        made = self.made
        async with connect(self._place) as agent:
            await agent.call("get_issue", iid=made.issue)
            await agent.call("create_branch", branch=made.branch)
            await agent.call(
                "commit_files",
                branch=made.branch,
                message="Check GitLab",
                actions=[{"path": made.path, "content": CONTENT}],
                merge_request={"title": "Check GitLab", "description": DESCRIPTION},
            )
            found = self._rest.get(f"merge_requests?state=opened&source_branch={made.branch}").needed().rows
            made.merge_request = found[0].number("iid") if found else 0
            if not found:
                raise Refused("commit_files opened no merge request")
            sign = f"!{made.merge_request}"
            await agent.call("create_note", iid=sign, body=NOTE)
            title = "Check GitLab, changed"
            await agent.call("update_merge_request", iid=sign, title=title, remove_source_branch=True)

    def _read_back(self) -> None:
        """What GitLab has now, by plain HTTP, and what became of the texts."""
        made, report = self.made, self._report
        if not made.merge_request:
            return
        address = f"merge_requests/{made.merge_request}"
        now = self._rest.get(address).needed().entity
        raw = self._rest.get(f"repository/files/{quote(made.path, safe='')}/raw?ref={made.branch}")
        notes = [
            note.text("body")
            for note in self._rest.get(f"{address}/notes?per_page=100").rows
            if not note.flag("system")
        ]
        wrong = []
        if raw.text != CONTENT:
            wrong.append(str(raw))
        if now.text("title") != "Check GitLab, changed":
            wrong.append(f"the title is {now.text('title')}")
        if len(notes) != 1:
            wrong.append(f"there are {len(notes)} notes, not 1")
        report.judge(facts.JOURNEY, not wrong, "; ".join(wrong))
        self._judge_texts(now, notes)
        flag = now.flag("force_remove_source_branch")
        report.judge(facts.FORCE_REMOVE, flag, "force_remove_source_branch is not true after the update")

    def _judge_texts(self, now: Entity, notes: list[str]) -> None:
        report, description = self._report, now.text("description")
        kept = {description: inert(DESCRIPTION), (notes or [""])[0]: inert(NOTE)}
        state = now.text("state")
        report.judge(facts.BLANK_BEFORE_SLASH, state == "opened", f"the merge request is {state}")
        changed = [f"{came!r} for {sent!r}" for came, sent in kept.items() if came.strip() != sent.strip()]
        report.judge(facts.TEXTS_KEPT, not changed, "; ".join(changed))
        report.judge(facts.BACKSLASH_N, "characters \\n in" in description, f"the description is {description!r}")

    def tidy_up(self) -> None:
        """Close what was opened and delete the branch."""
        made, left = self.made, []
        closing = {"state_event": "close"}
        steps: list[tuple[str, str, dict[str, object] | None]] = []
        if made.merge_request:
            steps.append(("PUT", f"merge_requests/{made.merge_request}", {**closing}))
        if made.own_issue:
            steps.append(("PUT", f"issues/{made.issue}", {**closing}))
        steps.append(("DELETE", f"repository/branches/{made.branch}", None))
        for method, path, body in steps:
            try:
                answer = self._rest.ask(method, path, body)
            except (NotTried, requests.RequestException):
                left.append(path)
                continue
            if answer.status // 100 != 2 and answer.status != 404:
                left.append(f"{path} ({answer.status})")
        if left:
            self._report.remark(f"Left behind: {', '.join(left)}.")
