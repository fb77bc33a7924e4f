"""What a run is asked whose pipeline was started for a comment, a label or an assignment: ids, and a digest.

The ids come from the template's inputs, or from variables with the same meaning. The run itself fetches the texts, and
nothing is run where they are no longer those that the listener saw.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.mention_digest import mention_digest
from gitlab_mcp.api.merge_requests import own_for_issue
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.tracking_note import NotePlace, place_of
from gitlab_mcp.ci.run import claims
from gitlab_mcp.ci.run.claims import Mention
from gitlab_mcp.ci.run.options import RunOptions
from gitlab_mcp.ci.run.prompt import Reading, RunRequest
from gitlab_mcp.config.environment import SettingsError, variable
from gitlab_mcp.config.job_context import SUBJECT_VARIABLES, JobContext, Noun
from gitlab_mcp.errors import NotFound
from gitlab_mcp.safety.mention import OptionLimits, read_comment

NOTEABLE_FORM = re.compile(r"(issues|merge_requests)/[0-9]{1,18}|commits/[0-9a-f]{40}([0-9a-f]{24})?")
NOUNS_OF_KINDS: dict[str, Noun] = {"issues": "issue", "merge_requests": "merge request"}
NOTE_FORM = re.compile(r"[0-9]{1,18}")
DIGEST_FORM = re.compile(r"[0-9a-f]{64}")
CORRECT_FORMS = {
    NOTEABLE_FORM: "write issues/7, merge_requests/12, or commits/ and the whole id of a commit",
    NOTE_FORM: "write the id of a comment, in digits",
    DIGEST_FORM: "write a SHA-256, in 64 hexadecimal digits",
}

EDITED_SINCE = (
    "The comment, or the title or the description of {}, was edited after this run was asked for. To ask again, write a"
    " new comment."
)
NOT_FROM_FORKS = (
    "{} comes from a fork, and code of a fork is not run with the secrets of this project. To have it worked on, push"
    " its branch to this project, and open a merge request from there."
)


@dataclass(frozen=True)
class StartedFor:
    """What a pipeline was started for.

    `noteable` is the kind and the number, or the id of a commit. `note` is the id of the comment that asked, 0 for a
    label or an assignment; `tracking_note` that of the note which the listener posted, 0 for none; `digest` is that of
    the texts as the listener saw them, "" where it is not checked.
    """

    noteable: str
    note: int = 0
    tracking_note: int = 0
    digest: str = ""

    def job(self, job: JobContext) -> JobContext:
        """The context of the job, with what the pipeline was started for in place of other claims."""
        kind, _, reference = self.noteable.partition("/")
        noun = NOUNS_OF_KINDS.get(kind)
        iid = int(reference) if noun else 0
        is_same = noun is not None and (job.noun, job.iid) == (noun, iid)
        return JobContext(
            event="mention" if self.note else "",
            noun=noun,
            iid=iid,
            discussion=job.discussion if is_same else "",
            note=self.note,
            pipeline=job.pipeline,
            source=job.source,
        )


def started_for(options: RunOptions, environ: Mapping[str, str]) -> StartedFor | None:
    """What the pipeline was started for, by the options, else by variables; None where they name nothing.

    Raises SettingsError where a value has another form, or a digest is given for nothing.
    """
    given = {
        "--noteable": options.noteable,
        "--note": options.note,
        "--tracking-note": str(options.tracking_note or ""),
        "--digest": options.digest,
    }
    if options.digest and not options.noteable:
        raise SettingsError("--digest needs --noteable, which names what was asked on.")
    if not options.noteable:
        names = ("GITLAB_MCP_NOTE", "GITLAB_MCP_TRACKING_NOTE", "GITLAB_MCP_DIGEST")
        given = {name: variable(environ, name) for name in names}
        subjects = [
            f"{kind}/{variable(environ, name)}" for name, kind in SUBJECT_VARIABLES.items() if environ.get(name)
        ]
        if options.note or options.iid or not any(given.values()) or len(subjects) != 1:
            return None
        given = {" or ".join(SUBJECT_VARIABLES): subjects[0], **given}
    patterns = (NOTEABLE_FORM, NOTE_FORM, NOTE_FORM, DIGEST_FORM)
    for (name, value), pattern in zip(given.items(), patterns, strict=True):
        if value and not pattern.fullmatch(value):
            raise SettingsError(f'{name} is "{value}": {CORRECT_FORMS[pattern]}.')
    noteable, note, tracking_note, digest = given.values()
    return StartedFor(noteable, int(note or 0), int(tracking_note or 0), digest)


def read_mention_request(
    gitlab: GitLab,
    environ: Mapping[str, str],
    started: StartedFor,
    limits: OptionLimits,
    *,
    prompt_file: Callable[[], str] | None = None,
    prompt: str = "",
) -> RunRequest:
    """Return what the run is asked: by the comment, else by `prompt_file` or `prompt`.

    `gitlab.settings.job` is that of `started`, and `limits` are those of the options in the comment. The request has a
    `refusal` where what was asked was edited or deleted, a merge request comes from a fork, or an option is not
    allowed.

    Raises SettingsError when there is no prompt, a Failure when GitLab does not show what the run is about.
    """
    return _MentionReading(gitlab, environ, started, limits).read(prompt_file, prompt)


class _MentionReading(Reading):
    """One look at what a pipeline was started for."""

    def __init__(self, gitlab: GitLab, environ: Mapping[str, str], started: StartedFor, limits: OptionLimits) -> None:
        super().__init__(gitlab, environ)
        self._started, self._limits = started, limits
        self._flow_input = ""  # the comment counts, or the prompt of the project's configuration

    def read(self, prompt_file: Callable[[], str] | None, prompt: str) -> RunRequest:
        project = next(filter(None, (*self._gitlab.settings.own_project, self._gitlab.settings.project)), "")
        if not project:
            raise SettingsError("--noteable needs a project: run it in a job, or set GITLAB_PROJECT.")
        subject = claims.claimed_subject(self._gitlab)
        if subject is None:
            path = f"{Project(self._gitlab, project).path}/repository/{self._started.noteable}"
            sign = f"Commit {self._started.noteable.partition('/')[2][:8]}"
        else:
            path, sign = subject.path, subject.sign
        try:
            entity = self._gitlab.get(path)
        except NotFound:
            return _refused(f"{sign} does not exist any more, or the token of this run may not see it.")
        mention = None
        if self._started.note:
            try:
                mention = self._mention_on(subject, path)
            except NotFound:
                return self._of_deleted(path, sign, entity)
            if not self._started.digest:
                self._check_edited(mention)
        text, source = self._text(mention, "--note" if mention else "", prompt_file, prompt)
        comment = read_comment(text, self._gitlab.settings.trigger, self._limits) if mention else None
        text = comment.request if comment else text
        if comment and comment.options:
            chosen = ", ".join(f"{name}={value}" for name, value in comment.options.items())
            self._remarks.append(f"The comment chooses {chosen}.")
        follow_up = Entity(None)
        if subject and subject.noun == "issue":
            follow_up = own_for_issue(subject, self._gitlab.identity.user.number("id"))
        confirmed = claims.confirmed_subject(entity, follow_up.number("iid"))
        return RunRequest(
            prompt=f"\n{text}" if mention and text.startswith("/") else text,
            source=source,
            by_people=mention is not None,
            place=self._place(path, mention),
            asked_by=mention.author if mention else "",
            asked_at=(mention.note if mention else self._pipeline).text("created_at"),
            confidential=entity.flag("confidential") or (mention is not None and mention.internal),
            pipeline_source=self._source(),
            variables={"TRIGGER_PAYLOAD": claims.confirmed_payload(confirmed, mention)} if mention else {},
            context="" if mention else json.dumps(confirmed),
            branch=_branch(follow_up or entity),
            merge_request=(follow_up or entity).number("iid") if _branch(follow_up or entity) else 0,
            chosen=comment.options if comment else {},
            refusal=self._refusal(sign, entity, mention) or (comment.problem if comment else ""),
            remarks=tuple(self._remarks),
        )

    def _mention_on(self, subject: Noteable | None, path: str) -> Mention:
        """The comment that asked. Raises NotFound where there is none, or another Failure."""
        if subject is None:
            return claims.mention_on_commit(self._gitlab, path, self._started.note)
        return claims.mention_by_id(self._gitlab, subject, self._started.note, self._job.discussion)

    def _refusal(self, sign: str, entity: Entity, mention: Mention | None) -> str:
        if entity.number("source_project_id") != entity.number("target_project_id"):
            return NOT_FROM_FORKS.format(sign)
        # A commit never changes, so that only the comment on it is in the digest.
        title, description = ("", "") if self._job.noun is None else map(entity.text, ("title", "description"))
        is_same = mention_digest(mention.body if mention else "", title, description) == self._started.digest
        return "" if is_same or not self._started.digest else EDITED_SINCE.format(sign)

    def _of_deleted(self, path: str, sign: str, entity: Entity) -> RunRequest:
        """The request of a comment that was deleted, which is answered only where the listener has posted a note."""
        text = f"Comment {self._started.note} on {sign}, which asked for this run, was deleted."
        place = None
        if self._started.tracking_note and self._gitlab.settings.credential.kind != "job token":
            place = place_of(self._gitlab, path, self._started.tracking_note, self._started.note)
        return _refused(text, place, confidential=entity.flag("confidential") or bool(place and place.internal))


def _refused(text: str, place: NotePlace | None = None, *, confidential: bool = False) -> RunRequest:
    return RunRequest("", "--note", by_people=True, place=place, confidential=confidential, refusal=text)


def _branch(merge_request: Entity) -> str:
    """The source branch of an open merge request, "" for another one and for an issue."""
    return merge_request.text("source_branch") if merge_request.text("state") == "opened" else ""
