"""What a job token is good for over REST: every route that this server reads with it, and others that ignore it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from gitlab_mcp.api.job_token import READABLE
from gitlab_mcp.config.settings import Settings
from tests.check_gitlab import facts
from tests.check_gitlab.facts import Fact
from tests.check_gitlab.report import Report
from tests.check_gitlab.rest import Answer, Rest

# The first that fits says which fact a route is for.
KINDS = (
    (r"/job", facts.JOB),
    (r".*/repository/.*", facts.JOB_REPOSITORY),
    (r".*/issues.*", facts.JOB_ISSUES),
    (r".*/merge_requests.*", facts.JOB_MERGE_REQUESTS),
    (r".*", facts.JOB_PIPELINES),
)
LISTED = tuple(fact for _, fact in KINDS[1:])

# Of those that this server asks with an access token.
OTHER = (
    "/user",
    "/personal_access_tokens/self",
    "/projects/:id",
    "/projects/:id/issues/:issue/notes",
    "/projects/:id/issues/:issue/discussions",
    "/projects/:id/merge_requests/:merge_request/discussions",
    "/projects/:id/merge_requests/:merge_request/diffs",
    "/projects/:id/members/all",
    "/projects/:id/repository/branches/:branch",
    "/projects/:id/repository/commits",
    "/projects/:id/repository/tree",
    "/projects/:id/repository/files/:path?ref=:sha",
    "/projects/:id/repository/compare?from=:sha&to=:sha",
)


@dataclass
class Things:
    """What is in the project, by the name that a route has for it; `unsure` are the names of those that may be not."""

    named: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def path(self, route: str) -> str:
        """The path of a route, for these things."""
        noun = "issue" if "/issues/" in route else "merge_request"
        return re.sub(r":(\w+)", lambda name: self.named[noun if name[1] == "iid" else name[1]], route)

    def may_miss(self, route: str) -> bool:
        """Whether the thing that a route is about may be none that is there."""
        noun = "issue" if "/issues/" in route else "merge_request"
        names = {noun if name == "iid" else name for name in re.findall(r":(\w+)", route)}
        return bool(names & self.unsure)


class Routes:
    """The routes, asked in the two ways in which a job token is sent."""

    def __init__(self, settings: Settings, report: Report) -> None:
        token = settings.credential.token
        self._report = report
        self._bearer = Rest(settings, {"Authorization": f"Bearer {token}"})
        self._ways = {"Bearer": self._bearer, "JOB-TOKEN": Rest(settings, {"JOB-TOKEN": token})}
        self._nobody = Rest(settings, {})
        self._bad = Rest(settings, {"JOB-TOKEN": f"glcbt-64_{uuid4().hex}"})

    def look(self, job: Mapping[str, str]) -> None:
        """Ask for all of them; `job` is what of the project is known already, as in Things."""
        with self._report.trying(*LISTED, facts.BAD_JOB_TOKEN, facts.OTHER_READS, facts.WRITES):
            things = self._things(job)
            public = self._nobody.get(self._bearer.project).status == 200
            bad = self._bad.get("issues")
            self._report.judge(facts.BAD_JOB_TOKEN, bad.status == 401, str(bad))
            for fact in LISTED:
                with self._report.trying(fact):
                    self._listed(fact, things, public)
            with self._report.trying(facts.OTHER_READS):
                self._others(things, public)
            with self._report.trying(facts.WRITES):
                self._writes(things)

    def _things(self, job: Mapping[str, str]) -> Things:
        named = {"id": self._bearer.project.rsplit("/", 1)[1], "path": "README.md", **job}
        things = Things(named, {"path"})
        self._first(things, "issue", "issues", "iid")
        self._first(things, "merge_request", "merge_requests", "iid")
        self._first(things, "note_id", f"merge_requests/{named['merge_request']}/notes", "id")
        self._first(things, "name", "repository/tags", "name")
        self._first(things, "pipeline_id", "pipelines", "id")
        self._first(things, "job_id", "jobs", "id")
        things.unsure.add("job_id")  # the artifacts of a job are asked for, and it may have none
        return things

    def _first(self, things: Things, name: str, path: str, key: str) -> None:
        """The first thing of a list, if none is known; where it is empty or refused, one that is not there."""
        if name in things.named:
            return
        rows = self._bearer.get(f"{path}?per_page=1").rows
        things.named[name] = rows[0].text(key) if rows else "1"
        if not rows:
            things.unsure.add(name)

    def _listed(self, fact: Fact, things: Things, public: bool) -> None:
        wrong = []
        for route in (route for route in READABLE if _fact_of(route) is fact):
            path = things.path(route)
            for way, rest in self._ways.items():
                answer = rest.get(path)
                missing = answer.status == 404 and things.may_miss(route) and "Project" not in answer.text
                if answer.status != 200 and not missing:
                    wrong.append(f"{way}: GET {route} {_said(answer)}")
            # A public project is shown to anybody; that the token is looked at, another one shows.
            if public and (answer := self._bad.get(path)).status != 401:
                wrong.append(f"a bad token: GET {route} {_said(answer)}")
        self._report.judge(fact, not wrong, "; ".join(wrong))

    def _others(self, things: Things, public: bool) -> None:
        wrong = []
        for route in OTHER:
            path = things.path(route)
            answer = self._bearer.get(path)
            as_to_nobody = public and answer.status == 200 and self._bad.get(path).status == 200
            if answer.status not in (401, 404) and not as_to_nobody:
                wrong.append(f"GET {route} {_said(answer)}")
        self._report.judge(facts.OTHER_READS, not wrong, "; ".join(wrong))

    def _writes(self, things: Things) -> None:
        """Writes that could do no harm if they were taken: most are of things that are not there."""
        nowhere = f"check-gitlab-nowhere-{uuid4().hex[:8]}"
        commit = {"branch": nowhere, "commit_message": "Check GitLab", "actions": []}
        opened = {"source_branch": nowhere, "target_branch": "main", "title": "Check GitLab"}
        note, at = {"body": "A job token wrote this."}, "/projects/:id"
        asked: Sequence[tuple[str, str, Mapping[str, object]]] = (
            ("POST", f"{at}/issues/:issue/notes", note),
            ("POST", f"{at}/merge_requests/:merge_request/notes", note),
            ("PUT", f"{at}/merge_requests/:merge_request", {"title": "A job token wrote this"}),
            ("POST", f"{at}/merge_requests", opened),
            ("POST", f"{at}/repository/branches", {"branch": nowhere, "ref": nowhere}),
            ("POST", f"{at}/repository/commits", commit),
        )
        answers = [(method, route, self._bearer.ask(method, things.path(route), body)) for method, route, body in asked]
        wrong = [
            f"{method} {route} {_said(answer)}"
            for method, route, answer in answers
            if answer.status not in (401, 403, 404)
        ]
        self._report.judge(facts.WRITES, not wrong, "; ".join(wrong))


def _fact_of(route: str) -> Fact:
    return next(fact for pattern, fact in KINDS if re.fullmatch(pattern, route))


def _said(answer: Answer) -> str:
    """The status, and what GitLab said of an error."""
    return f"{answer.status} {answer.text if answer.status >= 400 else ''}".strip()
