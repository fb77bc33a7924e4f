"""A merge request as push options: https://docs.gitlab.com/topics/git/commit/#push-options-for-merge-requests"""

import re
from collections.abc import Iterator, Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import NewMergeRequest, Update
from gitlab_mcp.errors import Refused

# One option is one packet of git's protocol, of at most 65,516 bytes: https://git-scm.com/docs/protocol-common
PUSHED_DESCRIPTION_BYTES = 60_000
NEWLINE = r"\n"  # the two characters that GitLab reads as a line break in a description
CUT_MARK = "… (cut: a push option takes no more)"

WITH_ACCESS_TOKEN = "GITLAB_ACCESS_TOKEN (scope api) is needed for that."  # noqa: S105  # no token


def opening(target: str, title: str, description: str, wanted: NewMergeRequest) -> list[str]:
    """The push options that open a merge request. Raises Refused for fields that a push option cannot set."""
    if wanted.reviewers:
        raise Refused(f"reviewers cannot be set by a push: leave them out. {WITH_ACCESS_TOKEN}")
    options = [f"merge_request.target={line('target_branch', target)}", f"merge_request.title={line('title', title)}"]
    options += [f"merge_request.description={escaped(description)}"] if description else []
    options += _repeated("label", "labels", wanted.labels) + _repeated("assign", "assignees", wanted.assignees)
    options += ["merge_request.remove_source_branch"] if wanted.remove_source_branch else []
    options += ["merge_request.squash"] if wanted.squash else []
    return ["merge_request.create", *options]


def changing(update: Update, title: str, description: str, now: Entity) -> list[str]:
    """The push options that change the merge request `now`; [] where `update` changes nothing.

    Raises Refused, which names them, for fields that a push option cannot change.
    """
    if impossible := list(_impossible(update, now)):
        raise Refused(f"{', '.join(impossible)} cannot be changed by a push. {WITH_ACCESS_TOKEN}")
    options = [f"merge_request.title={line('title', title)}"] if title else []
    options += [f"merge_request.description={escaped(description)}"] if description else []
    options += [f"merge_request.target={line('target_branch', update.target_branch)}"] if update.target_branch else []
    options += _repeated("label", "add_labels", update.add_labels)
    options += _repeated("unlabel", "remove_labels", update.remove_labels)
    if update.assignees is not None:
        assigned = [user.text("username") for user in now.entities("assignees")]
        options += _repeated("assign", "assignees", [name for name in update.assignees if name not in assigned])
        options += _repeated("unassign", "assignees", [name for name in assigned if name not in update.assignees])
    options += ["merge_request.remove_source_branch"] if update.remove_source_branch else []
    options += ["merge_request.squash"] if update.squash else []
    return options


def _impossible(update: Update, now: Entity) -> Iterator[str]:
    if update.state is not None:
        yield "state"
    if update.reviewers is not None:
        yield "reviewers"
    if update.description is not None and not update.description.strip():
        yield "description (to nothing)"
    # These two options have no value: a push can set them, and cannot unset them.
    if update.remove_source_branch is False and now.flag("force_remove_source_branch"):
        yield "remove_source_branch (to false)"
    if update.squash is False and now.flag("squash"):
        yield "squash (to false)"


def _repeated(option: str, argument: str, values: Sequence[str]) -> list[str]:
    """The option once for each value; `argument` is the tool's argument that they come from."""
    return [f"merge_request.{option}={line(argument, value)}" for value in values]


def line(argument: str, text: str) -> str:
    """A text as the value of a push option. Raises Refused for one with a line break or a control character."""
    if re.search(r"[\x00-\x1f\x7f]", text.strip()):
        raise Refused(f"{argument} contains a line break or a control character, which a push option cannot contain.")
    return text.strip()


def escaped(description: str) -> str:
    r"""A description on one line, with line breaks as GitLab unescapes them, cut to PUSHED_DESCRIPTION_BYTES.

    A literal "\n" gets a space inside: GitLab would turn it into a line break, and the text behind it would begin a
    line and could be a quick action.
    """
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", description).replace(NEWLINE, r"\ n").replace("\n", NEWLINE)
    raw = text.encode("utf-8", "replace")
    if len(raw) <= PUSHED_DESCRIPTION_BYTES:
        return text
    kept = (
        raw[: PUSHED_DESCRIPTION_BYTES - len(CUT_MARK.encode()) - len(NEWLINE)]
        .decode("utf-8", "ignore")
        .removesuffix("\\")
    )
    return f"{kept}{NEWLINE}{CUT_MARK}"


def is_cut(description: str) -> bool:
    """Whether a description is too long for a push option."""
    return escaped(description).endswith(CUT_MARK)
