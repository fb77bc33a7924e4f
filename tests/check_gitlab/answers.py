"""What GitLab answers over REST to an access token: errors by status and body, and the answers of writes."""

from urllib.parse import quote
from uuid import uuid4

from gitlab_mcp.config.settings import Settings
from tests.check_gitlab import facts
from tests.check_gitlab.facts import Fact
from tests.check_gitlab.local import Made
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Answer, Rest

NOWHERE = "check-gitlab-nowhere"
TITLE = "Check GitLab, changed by a quick action"


class Answers:
    """The requests whose answers are looked at. They come after the journey, on what it made."""

    def __init__(self, settings: Settings, rest: Rest, report: Report, made: Made) -> None:
        self._settings = settings
        self._rest = rest
        self._report = report
        self._made = made

    def look(self) -> None:
        """Send them all."""
        with self._report.trying(facts.BEARER, facts.TOKEN_SELF, facts.MEMBER, facts.WRONG_TOKEN):
            self._token()
        missing = (facts.MISSING_PROJECT, facts.MISSING_THINGS, facts.MISSING_PARAMETER, facts.UNKNOWN_REF)
        with self._report.trying(*missing):
            self._missing()
        on_branch = (facts.BRANCH_THERE, facts.FILE_THERE, facts.FILE_CHANGED, facts.BRANCH_BEGUN)
        with self._report.trying(*on_branch, facts.COMMIT_ANSWER, facts.REVISION_RANGE):
            self._commits()
        with self._report.trying(facts.INVALID_FIELD, facts.SECOND_MERGE_REQUEST, facts.EXECUTED):
            self._merge_request()

    def _token(self) -> None:
        rest, report, settings = self._rest, self._report, self._settings
        bearer = Rest(settings, {"Authorization": f"Bearer {settings.credential.token}"})
        user = bearer.get("/user")
        report.judge(facts.BEARER, user.status == 200 and user.entity.number("id") > 0, _short(user))
        own = rest.get("/personal_access_tokens/self")
        report.judge(facts.TOKEN_SELF, own.status == 200 and bool(own.entity.texts("scopes")), _short(own))
        member = rest.get(f"members/all/{rest.get('/user').needed().entity.number('id')}")
        report.judge(facts.MEMBER, member.status == 200 and member.entity.number("access_level") > 0, _short(member))
        unknown = Rest(settings, {"Authorization": f"Bearer glpat-{uuid4().hex}"}).get("/user")
        self._refused(facts.WRONG_TOKEN, unknown, 401, "401 Unauthorized")

    def _missing(self) -> None:
        rest = self._rest
        elsewhere = rest.get(f"/projects/{quote(f'{NOWHERE}/{uuid4().hex}', safe='')}/issues")
        self._refused(facts.MISSING_PROJECT, elsewhere, 404, "404 Project Not Found")
        for path in ("issues/999999999", f"repository/branches/{NOWHERE}", f"repository/files/{NOWHERE}?ref=HEAD"):
            self._refused(facts.MISSING_THINGS, rest.get(path), 404, "404 ")
        nameless = rest.ask("POST", "issues", {})
        self._report.judge(
            facts.MISSING_PARAMETER,
            nameless.status == 400 and "title is missing" in nameless.entity.text("error"),
            str(nameless),
        )
        begun = rest.ask("POST", "repository/branches", {"branch": f"{self._made.branch}-x", "ref": NOWHERE})
        self._refused(facts.UNKNOWN_REF, begun, 400, "Invalid reference name")

    def _commits(self) -> None:
        rest, report, made = self._rest, self._report, self._made
        tip = rest.get(f"repository/branches/{made.branch}").needed().entity.text("commit", "id")
        again = rest.ask("POST", "repository/branches", {"branch": made.branch, "ref": tip})
        self._refused(facts.BRANCH_THERE, again, 400, "already exists")
        self._refused(facts.FILE_THERE, self._commit("create"), 400, "already exists")
        begun = self._commit("update", start_sha=tip)
        self._refused(facts.BRANCH_BEGUN, begun, 400, "already exists")
        changed = self._commit("update", last_commit_id=tip)
        commit = changed.entity
        named = all(commit.text(name) for name in ("id", "short_id", "web_url"))
        whole = changed.status == 201 and named and commit.texts("parent_ids") == [tip]
        report.judge(facts.COMMIT_ANSWER, whole, _short(changed))
        if changed.status != 201:
            raise NotTried(str(changed))
        self._refused(facts.FILE_CHANGED, self._commit("update", last_commit_id=tip), 400, "changed since")
        between = rest.get(f"repository/commits?ref_name={tip}..{made.branch}")
        ids = [each.text("id") for each in between.rows]
        report.judge(facts.REVISION_RANGE, ids == [commit.text("id")], f"{len(ids)} commits, {_short(between)}")

    def _commit(self, action: str, *, start_sha: str = "", last_commit_id: str = "") -> Answer:
        one = {"action": action, "file_path": self._made.path, "content": f"{uuid4().hex}\n"}
        one |= {"last_commit_id": last_commit_id} if last_commit_id else {}
        body = {"branch": self._made.branch, "commit_message": "Check GitLab again", "actions": [one], "stats": True}
        return self._rest.ask("POST", "repository/commits", body | ({"start_sha": start_sha} if start_sha else {}))

    def _merge_request(self) -> None:
        rest, report, made = self._rest, self._report, self._made
        if not made.merge_request:
            raise NotTried("the journey opened no merge request")
        path = f"merge_requests/{made.merge_request}"
        now = rest.get(path).needed().entity
        branches = {"source_branch": made.branch, "target_branch": now.text("target_branch")}
        second = rest.ask("POST", "merge_requests", {**branches, "title": "A second one"})
        said = " ".join(second.entity.texts("message"))
        listed = second.status == 409 and "already exists" in said
        report.judge(facts.SECOND_MERGE_REQUEST, listed, _short(second))
        long = rest.ask("PUT", path, {"title": "x" * 256})
        by_field = long.status == 400 and bool(long.entity.texts("message", "title"))
        report.judge(facts.INVALID_FIELD, by_field, _short(long))
        note = rest.ask("POST", f"{path}/notes", {"body": f"/title {TITLE}"})
        answered = note.status == 202 and bool(note.entity.names("commands_changes"))
        report.judge(facts.EXECUTED, answered, _short(note))

    def _refused(self, fact: Fact, answer: Answer, status: int, words: str) -> None:
        """The fact that a request is answered with this status, and these words in `message`."""
        message = answer.entity.text("message")
        self._report.judge(fact, answer.status == status and words in message, str(answer))


def _short(answer: Answer) -> str:
    """An answer without what a good one holds of people and their texts."""
    return str(answer) if answer.status >= 400 else f"{answer.request} was answered with {answer.status}"
