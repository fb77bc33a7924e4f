"""Which pipelines start for the pushes of a job."""

import time
from urllib.parse import quote

from gitlab_mcp.api.entity import Entity
from tests.check_gitlab import facts
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Rest

MERGE_REQUEST = "merge_request_event"


class Pipelines:
    """The pipelines of the commits that were pushed; GitLab starts them a while after the push."""

    def __init__(self, rest: Rest, report: Report, configuration: str, seconds: float) -> None:
        self._rest = rest
        self._report = report
        self._configuration = configuration
        self._seconds = seconds
        self._opening = ""
        self._commits: list[str] = []
        self._at = time.monotonic()

    def pushed(self, commit: str, *, opens: bool) -> None:
        """A commit was pushed, and may have opened a merge request."""
        self._commits.append(commit)
        self._opening = commit if opens else self._opening
        self._at = time.monotonic()

    def look(self, *, opened: bool) -> None:
        """Wait until what follows a push has had its time, then look; `opened` is whether there is a merge request."""
        with self._report.trying(facts.NO_PIPELINE, facts.FIRST_PIPELINE):
            if not self._commits:
                raise NotTried("no push was taken")
            path = f"repository/files/{quote(self._configuration, safe='')}/raw?ref={self._commits[0]}"
            configuration = self._rest.get(path)
            if configuration.status != 200:
                raise NotTried(f"{self._configuration} cannot be read, so that no pipeline can start: {configuration}")
            time.sleep(max(0.0, self._at + self._seconds - time.monotonic()))
            first = [each for each in self._of(self._opening) if each.text("source") == MERGE_REQUEST]
            others = [each for commit in self._commits for each in self._of(commit)]
            blocked = [each for each in others if each.text("id") not in [one.text("id") for one in first]]
            self._report.judge(facts.NO_PIPELINE, not blocked, ", ".join(_shown(each) for each in blocked))
            if not opened:
                raise NotTried("no merge request was opened")
            if not first and MERGE_REQUEST not in configuration.text:
                raise NotTried(f"{self._configuration} does not name {MERGE_REQUEST}, so that none can start")
            self._report.judge(
                facts.FIRST_PIPELINE, bool(first), ", ".join(map(_shown, first)) or "there is none", quoted=True
            )

    def _of(self, commit: str) -> list[Entity]:
        return self._rest.get(f"pipelines?sha={commit}").needed().rows


def _shown(pipeline: Entity) -> str:
    return f"{pipeline.text('source')} pipeline for {pipeline.text('ref')} ({pipeline.text('status')})"
