"""Extracting quick actions from text: the commands in it, and the text without them.

The rules are those of GitLab's extractor (lib/gitlab/quick_actions/extractor.rb): a command is a line that begins with
a slash and a known name, outside of code, HTML blocks and >>> quotes. Newer versions let their Markdown parser find the
paragraphs first; in both, a command must begin at the start of a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Quick actions with their aliases. Those of Premium are included, as gitlab.com interprets all of them.
NAMES = {
    "add_child": (), "add_contacts": (), "add_email": ("invite_email",), "add_parent": ("set_parent",), "approve": (),
    "assign": (), "assign_reviewer": ("reviewer",), "blocked_by": (), "blocks": (), "board_move": (),
    "checkin_reminder": (), "clear_health_status": (), "clear_weight": (), "clone": (), "close": (),
    "confidential": (), "convert_to_ticket": (), "copy_metadata": (), "create_merge_request": (), "done": (),
    "draft": (), "due": ("due_date",), "duplicate": (), "epic": ("set_epic",), "estimate": ("estimate_time",),
    "health_status": (), "iteration": ("set_iteration",), "label": ("labels",), "link": (), "lock": (), "merge": (),
    "milestone": (), "move": (), "page": (), "promote": (), "promote_to": (), "promote_to_incident": (),
    "publish": (), "q": (), "react": ("award",), "ready": (), "reassign": (), "reassign_reviewer": (), "rebase": (),
    "relabel": (), "relate": (), "remove_child": (), "remove_contacts": (), "remove_due_date": (),
    "remove_email": (), "remove_epic": (), "remove_estimate": ("remove_time_estimate",), "remove_iteration": (),
    "remove_milestone": (), "remove_parent": (), "remove_time_spent": (), "remove_zoom": (), "reopen": (),
    "request_changes": (), "request_review": (), "run_pipeline": (), "severity": (), "ship": (),
    "spend": ("spent", "spend_time"), "status": (), "submit_review": (), "subscribe": (), "tag": (),
    "target_branch": (), "timeline": (), "title": (), "todo": (), "type": (), "unapprove": (), "unassign": (),
    "unassign_reviewer": ("remove_reviewer",), "unlabel": ("remove_label",), "unlink": (), "unlock": (),
    "unsubscribe": (), "weight": (), "zoom": (),
}  # fmt: skip
# GitLab replaces these quick actions by a text.
SUBSTITUTIONS = {"shrug": "¯\\＿(ツ)＿/¯", "tableflip": "(╯°□°)╯︵ ┻━┻"}  # noqa: RUF001 - GitLab's
_CANONICAL = {name: one for one, others in NAMES.items() for name in (one, *others)}

_COMMAND = re.compile(rf"/({'|'.join([*_CANONICAL, *SUBSTITUTIONS])})(?: ([^\n]*))?(?:\s*\n|\Z)", re.IGNORECASE)
_OPENING_TAG = re.compile(r"<[^>]+>\n")
_CANDIDATE = re.compile(r"^/[a-z]", re.MULTILINE | re.IGNORECASE)
_CLOSINGS = {
    "fence": re.compile(r"\n```$", re.MULTILINE),
    "tick": re.compile("`"),
    "tag": re.compile(r"\n</[^>]+>$", re.MULTILINE),
    "quote": re.compile(r"\n>>>$", re.MULTILINE),
}


@dataclass(frozen=True)
class Command:
    """A quick action, by its canonical name."""

    name: str
    argument: str = ""


def extract(text: str) -> tuple[str, list[Command]]:
    """The text as GitLab stores it, without its commands, and the commands in order."""
    text = text.replace("\r", "")
    if not _CANDIDATE.search(text):
        return text.rstrip(), []
    scan = _Scan(text)
    scan.run()
    return "".join(scan.kept).rstrip(), scan.commands


class _Scan:
    """One scan of a text from beginning to end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kept: list[str] = []
        self.commands: list[Command] = []
        self._unclosed: set[str] = set()

    def run(self) -> None:
        """Fill `kept` and `commands`."""
        at = kept_to = 0
        while at < len(self.text):
            starts_line = at == 0 or self.text[at - 1] == "\n"
            if past := self._excluded(at, starts_line):
                at = past
            elif starts_line and (command := _COMMAND.match(self.text, at)):
                self.kept += [self.text[kept_to:at], self._take(command)]
                at = kept_to = command.end()
            else:
                at = self._next(at + 1)
        self.kept.append(self.text[kept_to:])

    def _next(self, at: int) -> int:
        """The next position where a command, a block or inline code can begin: a line start or a backtick."""
        line, tick = self.text.find("\n", at - 1), self.text.find("`", at)
        places = [place for place in (line + 1 if line >= 0 else -1, tick) if place >= at]
        return min(places, default=len(self.text))

    def _excluded(self, at: int, starts_line: bool) -> int | None:
        """The end of the code, HTML block or quote that begins here, or None if none begins here."""
        text = self.text
        if starts_line and text.startswith("```", at) and (past := self._closing("fence", at + 4)):
            return past
        if text[at] == "`":
            return self._closing("tick", at + 2)
        if starts_line and text.startswith(">>>", at):
            return self._closing("quote", at + 4)
        if starts_line and text[at] == "<" and (tag := _OPENING_TAG.match(text, at)):
            return self._closing("tag", tag.end() + 1)
        return None

    def _closing(self, kind: str, at: int) -> int | None:
        if kind in self._unclosed:
            return None
        found = _CLOSINGS[kind].search(self.text, at)
        if found is None:
            # Without a closing delimiter from here on, there is none from any later position either.
            self._unclosed.add(kind)
            return None
        return found.end()

    def _take(self, found: re.Match[str]) -> str:
        """Record a command; returns the text that replaces it."""
        name, argument = found[1].lower(), (found[2] or "").strip()
        self.commands.append(Command(_CANONICAL.get(name, name), argument))
        if name not in SUBSTITUTIONS:
            return ""
        ending = "\n" if found[0].endswith("\n") else ""
        return f"{argument} {SUBSTITUTIONS[name]}".lstrip() + ending
