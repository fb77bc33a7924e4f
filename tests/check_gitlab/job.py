"""What is tried in a CI job, which has nothing but its job token."""

from uuid import uuid4

from tests.check_gitlab import facts
from tests.check_gitlab.agent import Agent, Refused, connect
from tests.check_gitlab.environment import Place
from tests.check_gitlab.pipelines import Pipelines
from tests.check_gitlab.pushes import Pushes
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Rest
from tests.check_gitlab.routes import Routes

TITLE = "Check GitLab, by an agent"
CHANGED = "Check GitLab, changed by an agent"


class Job:
    """The facts about a job token. `seconds` is how long GitLab may take for what follows a push."""

    def __init__(self, place: Place, report: Report, seconds: float) -> None:
        self._place = place
        self._report = report
        settings = place.settings
        self._rest = Rest(settings, {"Authorization": f"Bearer {settings.credential.token}"})
        configuration = place.environment.get("CI_CONFIG_PATH", "").strip() or ".gitlab-ci.yml"
        self._pipelines = Pipelines(self._rest, report, configuration, seconds)
        self._pushes = Pushes(settings, self._rest, report, self._pipelines, seconds)
        self._merge_requests: list[int] = []
        self._agents_branch = ""

    async def play(self) -> None:
        """Try them all, and tidy up."""
        pushes = self._pushes
        try:
            known = self._job()
            pushes.read()
            pushes.play()
            await self._journey()
            known |= {"sha": pushes.start, "branch": pushes.default_branch} if pushes.start else {}
            if pushes.merge_request:
                known["merge_request"] = str(pushes.merge_request)
                self._merge_requests.append(pushes.merge_request)
            Routes(self._place.settings, self._report).look(known)
            self._pipelines.look(opened=bool(pushes.merge_request))
        finally:
            self._tidy_up()
            pushes.close()

    def _job(self) -> dict[str, str]:
        """What the job says of itself, as the routes name it."""
        known = {"sha": "HEAD", "branch": "HEAD"}
        with self._report.trying(facts.JOB):
            answer = self._rest.get("/job")
            job = answer.entity
            whose = job.number("user", "id") > 0 and bool(job.text("user", "username"))
            own = job.text("pipeline", "project_id") == self._place.environment["CI_PROJECT_ID"].strip()
            header = Rest(self._place.settings, {"JOB-TOKEN": self._place.settings.credential.token}).get("/job")
            seen = (
                str(answer) if answer.status != 200 else f"user.id and .username: {whose}, pipeline.project_id: {own}"
            )
            self._report.judge(facts.JOB, whose and own and header.status == 200, seen)
            if pipeline := job.text("pipeline", "id"):
                known["pipeline_id"] = pipeline
        return known

    async def _journey(self) -> None:
        with self._report.trying(facts.JOB_JOURNEY):
            if not self._pushes.merge_request:
                raise NotTried("a push opened no merge request")
            try:
                async with connect(self._place) as agent:
                    await self._call_tools(agent)
            except Refused as refused:
                self._report.did_not_hold(facts.JOB_JOURNEY, str(refused))

    async def _call_tools(self, agent: Agent) -> None:
        self._agents_branch = branch = f"check-gitlab-{uuid4().hex[:8]}"
        await agent.call(
            "commit_files",
            branch=branch,
            ref=self._pushes.default_branch,
            message="Check GitLab",
            actions=[{"path": f"{branch}.txt", "content": "This file may be deleted.\n"}],
            merge_request={"title": TITLE, "description": "Two\nlines"},
        )
        found = self._rest.get(f"merge_requests?state=opened&source_branch={branch}").needed().rows
        if not found:
            raise Refused("commit_files opened no merge request")
        iid = found[0].number("iid")
        self._merge_requests.append(iid)
        await agent.call("update_merge_request", iid=iid, title=CHANGED)
        now = self._rest.get(f"merge_requests/{iid}").needed().entity
        as_wanted = (now.text("title"), now.text("description")) == (CHANGED, "Two\nlines")
        self._report.judge(facts.JOB_JOURNEY, as_wanted, f"the title is {now.text('title')}")

    def _tidy_up(self) -> None:
        """Delete the branches; a merge request cannot be closed with a job token."""
        pushed = [self._pushes.branch] if self._pushes.took_one else []
        with self._report.trying():
            for branch in (*pushed, self._agents_branch):
                if branch:
                    self._pushes.delete(branch)
        if self._merge_requests:
            left = ", ".join(f"!{iid}" for iid in sorted(self._merge_requests))
            self._report.remark(f"Left behind for a person to close, which a job token cannot: {left}.")
