"""The names of what a new sandbox holds, as `gitlab_mcp/sandbox/seed` creates it in the project acme/app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SeededItem:
    """An issue or a merge request of the project."""

    iid: int
    noun: Literal["issue", "merge request"] = "issue"

    @property
    def reference(self) -> str:
        """GitLab's short reference: #7, or !1."""
        return f"#{self.iid}" if self.noun == "issue" else f"!{self.iid}"

    @property
    def path(self) -> str:
        """The path below the project's, in the REST API and on the website: /issues/7."""
        return f"/{self.noun.replace(' ', '_')}s/{self.iid}"


@dataclass(frozen=True)
class CrashNotes:
    """The comments on `SEED.crash_issue`."""

    first: int = 149  # by the maintainer, and the start of a thread
    reply: int = 150  # by the developer, in that thread
    by_stranger: int = 151


@dataclass(frozen=True)
class ReviewNotes:
    """The comments on `SEED.merge_request`."""

    praise: int = 152  # by the reporter, about the whole
    stderr: int = 153  # by the maintainer, on a line of src/app/cli.py: the start of an open thread
    stderr_reply: int = 154  # by the developer, in that thread
    full_stop: int = 155  # by the maintainer, on a line of docs/usage.md: a resolved thread


@dataclass(frozen=True)
class Seed:
    """What a new sandbox holds, by name; `tests/sandbox/test_seed.py` compares it with a running one."""

    # acme/app has eight issues, of which only the German one is closed.
    plan_issue: SeededItem = SeededItem(1)
    german_issue: SeededItem = SeededItem(2)
    verbose_issue: SeededItem = SeededItem(3)  # which the merge request closes
    confidential_issue: SeededItem = SeededItem(4)
    long_issue: SeededItem = SeededItem(5)  # with 45 comments
    hostile_issue: SeededItem = SeededItem(6)  # by the stranger: prompt injection, quick actions, invisible characters
    crash_issue: SeededItem = SeededItem(7)
    crash_notes: CrashNotes = CrashNotes()
    legacy_issue: SeededItem = SeededItem(8)
    # The first that a test creates.
    next_issue: SeededItem = SeededItem(9)

    merge_request: SeededItem = SeededItem(1, "merge request")
    review_notes: ReviewNotes = ReviewNotes()
    next_merge_request: SeededItem = SeededItem(2, "merge request")

    # The pipeline of main, which runs for as long as the sandbox; its second job is the one whose job token tests have.
    pipeline: int = 501
    ended_job: int = 601
    running_job: int = 602

    # An upload, by the developer, that no text names: a picture of 320 x 200 pixels.
    screenshot: str = "/uploads/5f0f1f5a1b6c2d3e4f5a6b7c8d9e0f1a/screenshot.png"

    # A user who has no role in the project; the others are named by their role: maintainer, developer, reporter.
    stranger: str = "stranger"


SEED = Seed()
