"""The changed files of a merge request: over REST, or over git where REST does not accept a job token."""

from gitlab_mcp.api.client import unless_refused
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merging import PAUSE, STATUS_LOOK_UPS
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.api.reviews.raw_diffs import expanded, is_collapsed
from gitlab_mcp.errors import JobTokenNotAccepted, NotFound
from gitlab_mcp.repository.interface import Repository


def changed_files(target: Noteable, repository: Repository) -> tuple[Entity, list[ChangedFile]]:
    """The merge request and every file that it changes.

    Waits while GitLab prepares a new merge request, and raises NotFound if it has no diff after that.
    """
    gitlab = target.project.gitlab
    pending_diffs = gitlab.start(gitlab.every, f"{target.path}/diffs")
    merge_request = gitlab.get(target.path)
    if not _has_diff(merge_request):
        merge_request = _with_diff(target)
        pending_diffs = gitlab.start(gitlab.every, f"{target.path}/diffs")
    try:
        diffs = pending_diffs.result()
    except JobTokenNotAccepted:
        refs = merge_request.entity("diff_refs")
        diffs = list(repository.compare(refs.sha("base_sha"), refs.sha("head_sha")).diffs)
    if any(is_collapsed(diff) for diff in diffs):
        raw = unless_refused(lambda: gitlab.raw(f"{target.path}/raw_diffs"), b"")
        diffs = expanded(diffs, raw.decode("utf-8", "replace"))
    return merge_request, [ChangedFile(diff) for diff in diffs]


def _has_diff(merge_request: Entity) -> bool:
    refs = merge_request.entity("diff_refs")
    return bool(refs.sha("base_sha") and refs.sha("head_sha"))


def _with_diff(target: Noteable) -> Entity:
    """The merge request once GitLab has computed its diff, which it does in the background for a new one."""
    missing = NotFound(f"{target.sign} has no diff yet: try again in a moment.")
    for look in range(STATUS_LOOK_UPS):
        current_call.get().wait(PAUSE * (look + 1), missing)
        merge_request = target.project.gitlab.get(target.path)
        if _has_diff(merge_request):
            return merge_request
    raise missing
