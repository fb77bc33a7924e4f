"""What is good to know beside a merge request, as far as this credential may ask."""

from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import unless_refused
from gitlab_mcp.api.diff import ChangedFile
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable

FILES = 30


@dataclass(frozen=True)
class Surroundings:
    """The issues that a merge request closes, who approved it, its reviewers with their states, its first files."""

    closes: list[Entity] = field(default_factory=list)
    approvals: Entity = field(default_factory=lambda: Entity(None))
    reviewers: list[Entity] = field(default_factory=list)
    files: list[ChangedFile] = field(default_factory=list)


def surroundings(target: Noteable) -> Surroundings:
    """All of it, asked at the same time; empty where GitLab refuses."""
    gitlab = target.project.gitlab
    closes = gitlab.start(gitlab.every_readable, f"{target.path}/closes_issues")
    reviewers = gitlab.start(gitlab.every_readable, f"{target.path}/reviewers")
    approvals = gitlab.start(unless_refused, partial(gitlab.get, f"{target.path}/approvals"), Entity(None))
    diffs = gitlab.start(unless_refused, lambda: gitlab.page(f"{target.path}/diffs", 1, FILES).rows, [])
    files = [ChangedFile(diff) for diff in diffs.result()]
    return Surroundings(closes.result(), approvals.result(), reviewers.result(), files)
