"""What a pipeline is started with: its inputs where the project's CI declares them, else its variables.

Inputs become part of the YAML, so that they are ids and hashes only. GitLab and the runner replace $NAME, ${NAME} and
%NAME% in the values of variables by the project's variables, secrets included (lib/gitlab/ci/variables/collection.rb,
ExpandValue in common/spec of GitLab Runner): no value holds such a reference.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitlab_mcp.api.mention_digest import mention_digest
from gitlab_mcp.config.job_context import SUBJECT_VARIABLES, iso_time
from gitlab_mcp.mentions.decision import Enqueue
from gitlab_mcp.mentions.events import SubjectKind
from gitlab_mcp.mentions.screening import Candidate

CONTEXT_BYTES = 60_000  # of AI_FLOW_CONTEXT, in UTF-8; one variable of a process has at most 128 KiB on Linux
REQUEST_BYTES = 60_000  # of AI_FLOW_INPUT
LONGEST_TITLE = 1_000  # GitLab allows 255
LABEL_BYTES = 8_000
SMALLEST_PART = 200  # characters of a comment that is cut
REST_IS_CUT = "\n[cut: GitLab has the rest]"
# A reply makes a thread of a single comment and so updates it, a moment after the reply was created
# (spec/services/notes/create_service_spec.rb of GitLab).
REPLY_UPDATE = timedelta(seconds=1)

EVENT_NAMES = {None: "mention", "label": "label", "assignee": "assign", "reviewer": "assign_reviewer"}
COMMENTS_KEYS: dict[SubjectKind, str] = {
    "issues": "issue_comments",
    "merge_requests": "mr_comments",
    "commits": "commit_comments",
}
SUBJECT_NAMES = {kind: name for name, kind in SUBJECT_VARIABLES.items()}
PERCENT_REFERENCE = re.compile(r"%(?=[A-Za-z_][A-Za-z0-9_]*%)")


@dataclass(frozen=True)
class ThreadNote:
    """A comment of the issue, merge request or commit, as GitLab's API shows it; the times are in ISO 8601."""

    id: int
    author: str
    created_at: str
    text: str
    updated_at: str = ""
    internal: bool = False
    system: bool = False


def pipeline_inputs(candidate: Candidate, tracking_note: int) -> dict[str, str]:
    """The inputs claude_noteable, claude_note, claude_tracking_note and claude_digest: ids and hashes only.

    `tracking_note` is the id of the note that the listener posted, 0 for none.
    """
    return {
        "claude_noteable": candidate.subject.noteable,
        "claude_note": _digits(candidate.note),
        "claude_tracking_note": _digits(tracking_note),
        "claude_digest": candidate_digest(candidate),
    }


def pipeline_variables(
    candidate: Candidate, enqueue: Enqueue, tracking_note: int, notes: Iterable[ThreadNote] = ()
) -> dict[str, str]:
    """The variables AI_FLOW_* and GITLAB_MCP_* of the pipeline, as they are sent; those without a value are left out.

    `notes` are comments of the subject in any order. Of them, AI_FLOW_CONTEXT holds those that `flow_context` takes.
    """
    subject = candidate.subject
    values = {
        "AI_FLOW_INPUT": without_references(_fitting(cleaned(enqueue.request), REQUEST_BYTES, _request_size)),
        "AI_FLOW_CONTEXT": flow_context(candidate, notes),
        "AI_FLOW_EVENT": EVENT_NAMES[candidate.change],
        "AI_FLOW_DISCUSSION_ID": candidate.discussion,
        SUBJECT_NAMES.get(subject.kind, ""): subject.reference,
        "GITLAB_MCP_NOTE": _digits(candidate.note),
        "GITLAB_MCP_TRACKING_NOTE": _digits(tracking_note),
        "GITLAB_MCP_DIGEST": candidate_digest(candidate),
    }
    return {name: value for name, value in values.items() if name and value}


def candidate_digest(candidate: Candidate) -> str:
    """The digest of comment, title and description as of the event; a commit's are left out: they never change."""
    if candidate.subject.kind == "commits":
        return mention_digest(candidate.text, "", "")
    return mention_digest(candidate.text, candidate.subject.title, candidate.subject.description)


def flow_context(candidate: Candidate, notes: Iterable[ThreadNote] = ()) -> str:
    """AI_FLOW_CONTEXT: a flat JSON object as GitLab's own flows send it, of at most CONTEXT_BYTES bytes of UTF-8.

    Title and description are those of the event. Of `notes` it holds, newest first, those that were there before the
    event and were not edited since, without the comment that asks; internal ones only where the event is confidential
    itself. The oldest comments are left out first; the description is cut only where it is too long alone.
    """
    subject, comments = candidate.subject, COMMENTS_KEYS[candidate.subject.kind]
    place = subject.noteable.replace("commits/", "commit/")
    fields: dict[str, object] = {
        **{name: cleaned(value) if isinstance(value, str) else value for name, value in subject.fields.items()},
        "labels": _fill(subject.labels, LABEL_BYTES),
        "title": cleaned(subject.title)[:LONGEST_TITLE],
        "description": "",
        "web_url": cleaned(f"/{candidate.project.path}/-/{place}") if candidate.project.path else "",
        comments: [],
    }
    fields["description"] = _fitting(cleaned(subject.description), CONTEXT_BYTES - _size(fields) + _size(""), _size)
    fields[comments] = _fill(_earlier(candidate, notes), CONTEXT_BYTES - _size(fields))
    return _encoded(fields)


def _earlier(candidate: Candidate, notes: Iterable[ThreadNote]) -> Iterator[str]:
    """The comments that were there before the event, newest first, with their authors."""
    event = datetime.fromisoformat(candidate.at).replace(microsecond=0)
    earlier = []
    for note in notes:
        created, updated = _time(note.created_at), _time(note.updated_at or note.created_at)
        if created is None or updated is None or note.system or (note.internal and not candidate.confidential):
            continue
        # Webhooks write whole seconds, in which several comments can be written.
        is_later = created > event or (created == event and candidate.note and note.id >= candidate.note)
        if not is_later and note.id != candidate.note and updated - event <= REPLY_UPDATE:
            earlier.append((created, note.id, note))
    for _, _, note in sorted(earlier, key=lambda each: each[:2], reverse=True):
        yield f"@{note.author} {note.created_at}\n{note.text}"


def _time(text: str) -> datetime | None:
    """A time in whole seconds; None where it is not one with a zone."""
    time = iso_time(text)
    return datetime.fromisoformat(time).replace(microsecond=0) if time else None


def cleaned(text: str) -> str:
    """`text` as a variable of a process can hold it: without NUL characters and unpaired surrogates."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\x00", ""))


def without_references(text: str) -> str:
    """`text` as the value of a pipeline variable: the job gets each $ as it is, and of %NAME% the form % NAME%.

    A runner makes $ of $$, which GitLab leaves as it is; it has no such form for a percent sign.
    """
    return PERCENT_REFERENCE.sub("% ", text.replace("$", "$$"))


def _fill(texts: Iterable[str], room: int) -> list[str]:
    """The texts from the first on that take up at most `room` bytes as items of a JSON list; the last may be cut."""
    taken: list[str] = []
    for text in map(cleaned, texts):
        room -= len(",")
        fitting = _fitting(text, room, _size)
        if fitting == text or len(fitting) >= SMALLEST_PART:
            taken.append(fitting)
        if fitting != text:
            break
        room -= _size(fitting)
    return taken


def _fitting(text: str, room: int, size: Callable[[str], int]) -> str:
    """`text`, or as much of its beginning, with REST_IS_CUT, as has at most `room` bytes by `size`; "" for nothing."""
    if size(text) <= room:
        return text
    text = text[: max(room, 0)]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle] + REST_IS_CUT) <= room else (low, middle - 1)
    return text[:low] + REST_IS_CUT if low else ""


def _encoded(value: object) -> str:
    """JSON in which neither GitLab nor a runner finds a variable."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("$", "\\u0024").replace("%", "\\u0025")


def _size(value: object) -> int:
    return len(_encoded(value).encode())


def _request_size(text: str) -> int:
    return len(without_references(text).encode())


def _digits(number: int) -> str:
    return str(number) if number else ""
