"""The changed files of a merge request: over REST, or over git where REST does not accept a job token."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.errors import JobTokenNotAccepted, NotFound
from gitlab_mcp.repository.interface import Repository


def changed_files(target: Noteable, repository: Repository) -> tuple[Entity, list[ChangedFile]]:
    """The merge request and every file that it changes. Raises NotFound while GitLab has not computed its diff yet."""
    gitlab = target.project.gitlab
    pending = gitlab.start(gitlab.get, target.path)
    pending_diffs = gitlab.start(gitlab.every, f"{target.path}/diffs")
    merge_request = pending.result()
    try:
        diffs = pending_diffs.result()
    except JobTokenNotAccepted:
        refs = merge_request.entity("diff_refs")
        if not (refs.sha("base_sha") and refs.sha("head_sha")):
            raise NotFound(f"{target.sign} has no diff yet: try again in a moment.") from None
        diffs = list(repository.compare(refs.sha("base_sha"), refs.sha("head_sha")).diffs)
    return merge_request, [ChangedFile(diff) for diff in diffs]
