"""The text of the tracking note: what a run has done so far, what it does now, and how it ended."""

import re
from collections.abc import Mapping, Sequence

from gitlab_mcp.api.entity import URL
from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.claude_code.events import (
    ApiRetry,
    Event,
    PermissionDenied,
    SessionEnd,
    SessionStart,
    ToolCall,
    ToolResult,
)
from gitlab_mcp.render.markdown import code_span, count, cut, facts, quote_plain
from gitlab_mcp.render.steps import EDITING, OWN_PREFIX, Step, doing, path, refused, steps, text_of
from gitlab_mcp.repository.paths import matcher
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import sanitize

OPEN_CALLS = 64  # calls without a result that are kept
STEPS = 25
FIRST_STEPS = 5  # that stay, where there are more than STEPS
KEPT_FILES = 1_000  # of which the names are kept
NAMED_FILES = 10
NOTE_ANSWER_BYTES = 60_000  # of the final answer
DETAIL_CHARACTERS = 2_000

GIT_COMMIT = re.compile(r"\bgit\b[^|;&\n]*\scommit\b")


class Progress:
    """What a run has done so far, in people's words, and what it made on GitLab.

    `branch` is the last one that it committed to, and `merge_request`, an iid, the one that it opened, or that of the
    branch; "" and 0 for none. `job_url` is the link to the job, "" outside CI. `secrets` are values that no text must
    contain.

    All texts are Markdown, without the marker of the note, which the caller puts before them: the final answer is last,
    because it may end in an open code block. GitLab's client neutralizes quick actions and mentions in them.
    """

    def __init__(self, job_url: str = "", *, secrets: tuple[str, ...] = ()) -> None:
        self.branch = ""
        self.merge_request = 0
        self._job = f"[job](<{job_url}>)" if URL.fullmatch(job_url) and not set("<>\\") & set(job_url) else ""
        self._secrets = secrets
        self._folder = ""
        self._read: dict[str, int] = {}  # the merge requests that were read, by their source branches
        self._calls: dict[str, ToolCall] = {}
        self._waiting = ""
        self._steps: list[Step] = []
        self._left_out = 0
        self._uncommitted: dict[str, None] = {}
        self._shown = self.working()

    @property
    def uncommitted(self) -> Sequence[str]:
        """The files that were edited and not committed since; relative to the checkout, if they are in it."""
        return list(self._uncommitted)

    def take(self, event: Event) -> bool:
        """Take an event; whether it changes the text of the note."""
        self._waiting = ""
        match event:
            case SessionStart():
                self._folder = event.folder
            case ToolCall():
                self._calls[event.call_id] = event
                if len(self._calls) > OPEN_CALLS:
                    del self._calls[next(iter(self._calls))]
            case ToolResult() if call := self._calls.pop(event.call_id, None):
                for step in steps(call, event, self._folder):
                    self._add(step)
                if not event.is_error:
                    self._note_files(call)
            case PermissionDenied():
                self._calls.pop(event.call_id, None)
                self._add(refused(event.tool))
            case ApiRetry():
                status = f"status {event.status}" if event.status else "no response"
                self._waiting = f"waiting for the model's API ({status}), attempt {event.attempt}"
        before, self._shown = self._shown, self.working()
        return before != self._shown

    def working(self) -> str:
        """The note while the run goes on: the link to the job, the steps as check boxes, and what is being done now."""
        calls = reversed(self._calls.values())
        now = self._waiting or next((text for call in calls if (text := doing(call, self._folder))), "")
        rows = [*self._rows(), *([f"- [ ] {now}"] if now else [])]
        return self._finished("\n\n".join(filter(None, (facts("Working on it", self._job), "\n".join(rows)))))

    def ended(self, ending: Ending, seconds: float, end: SessionEnd | None, detail: str = "") -> str:
        """The note at the end: a line such as `Done in 4m 12s · !12 · branch · job · 14 turns · $0.31`, and the answer.

        For a failure, a sentence says why and another how to try again; `detail` is what is known beyond the ending.
        What was edited and not committed is named.
        """
        end = end or SessionEnd()
        line = facts(
            f"{ending.heading} {elapsed(seconds)}",
            f"!{self.merge_request}" if self.merge_request else "",
            code_span(self.branch, 255),
            self._job,
            count(end.turns, "turn") if end.turns else "",
            dollars(end.cost_usd),
        )
        reason = f"{ending.reason} {ending.remedy}".strip()
        detail = detail or (end.text if end.is_error else "")
        answer = (
            "" if end.is_error else cut(sanitize(end.text).strip("\n"), NOTE_ANSWER_BYTES, "the job's log has more")
        )
        rows = self._rows()
        done = f"<details><summary>{count(len(rows), 'step')}</summary>\n\n" + "\n".join(rows) + "\n\n</details>"
        parts = (
            line,
            reason,
            quote_plain(detail[:DETAIL_CHARACTERS]) if detail.strip() and reason else "",
            self._not_committed(),
            done if rows else "",
            answer,
        )
        return self._finished("\n\n".join(filter(None, parts)))

    def _finished(self, text: str) -> str:
        return redact(text, self._secrets)

    def _rows(self) -> list[str]:
        rows = [f"- [x] {_text(step)}" for step in self._steps]
        return [*rows[:FIRST_STEPS], f"- [x] {self._left_out:,} more", *rows[FIRST_STEPS:]] if self._left_out else rows

    def _not_committed(self) -> str:
        names = self.uncommitted
        if not names:
            return ""
        shown = ", ".join(code_span(name) for name in names[:NAMED_FILES])
        more = f" and {len(names) - NAMED_FILES:,} more" if len(names) > NAMED_FILES else ""
        return f"{count(len(names), 'file')} edited, not committed: {shown}{more}."

    def _add(self, step: Step) -> None:
        if step.kind == "read" and step.branch:
            self._read[step.branch] = step.merge_request
        else:
            self.branch = step.branch or self.branch
            self.merge_request = step.merge_request or self._read.get(step.branch, self.merge_request)
        for index in self._to_merge(step):
            old = self._steps[index]
            files = tuple(dict.fromkeys((*old.files, *step.files)))[:KEPT_FILES]
            self._steps[index] = Step(old.kind, old.text, files)
            return
        self._steps.append(step)
        if len(self._steps) > STEPS:
            later = range(FIRST_STEPS, len(self._steps) - 1)
            # What was written on GitLab stays longest.
            del self._steps[next((index for index in later if self._steps[index].kind != "wrote"), FIRST_STEPS)]
            self._left_out += 1

    def _to_merge(self, step: Step) -> list[int]:
        """Where the step stands that `step` repeats or goes on: changes since the last write, a read, the last step."""
        last_write = max((index for index, old in enumerate(self._steps) if old.kind == "wrote"), default=-1)
        first = {"read": 0, "changed": last_write + 1}.get(step.kind, len(self._steps) - 1)
        same = (index for index, old in enumerate(self._steps) if (old.kind, old.text) == (step.kind, step.text))
        return [index for index in same if index >= first][-1:]

    def _note_files(self, call: ToolCall) -> None:
        """Keep in mind which files are edited and not committed."""
        if call.tool in EDITING and len(self._uncommitted) < KEPT_FILES:
            self._uncommitted[path(call, self._folder)] = None
        elif call.tool == "Bash" and GIT_COMMIT.search(text_of(call, "command")):
            self._uncommitted.clear()
        elif call.tool == f"{OWN_PREFIX}commit_files":
            globs = [glob for glob in _list(call.input.get("paths")) if isinstance(glob, str)]
            actions = (each for each in _list(call.input.get("actions")) if isinstance(each, Mapping))
            named = {each.get("path") for each in actions}
            matches = matcher(globs, self._uncommitted)
            for name in self.uncommitted:
                if name in named or (globs and matches(name)):
                    del self._uncommitted[name]


def elapsed(seconds: float) -> str:
    """A duration for people: 12s, 4m 12s, 1h 5m."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m {whole % 60}s" if whole < 3600 else f"{whole // 3600}h {whole % 3600 // 60}m"


def dollars(cost: float) -> str:
    """A cost in US dollars: $0.31; "" for none."""
    return f"${cost:,.2f}" if cost >= 0.005 else "less than $0.01" if cost > 0 else ""


def _text(step: Step) -> str:
    if step.text:
        return step.text
    verb = "changed" if step.kind == "changed" else "read"
    return f"{verb} {count(len(step.files), 'file') if len(step.files) > 1 else code_span(step.files[0]) or 'a file'}"


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
