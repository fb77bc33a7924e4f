"""Which files a merge request changes, over REST, or over git where a job token may not ask."""

import re
from collections.abc import Sequence

from gitlab_mcp.api.diff import ChangedFile
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.errors import NotFound, NotWithJobToken
from gitlab_mcp.repository import Repository

LIMIT = re.compile(r"(\d{1,9})\+")  # how GitLab says that there are more than so many


def changed_files(target: Noteable, repository: Repository) -> tuple[Entity, list[ChangedFile]]:
    """The merge request and every file that it changes."""
    gitlab = target.project.gitlab
    asked = gitlab.start(gitlab.get, target.path)
    listed = gitlab.start(gitlab.every, f"{target.path}/diffs")
    merge_request = asked.result()
    try:
        diffs = listed.result()
    except NotWithJobToken:
        refs = merge_request.entity("diff_refs")
        if not (refs.sha("base_sha") and refs.sha("head_sha")):
            raise NotFound(f"{target.sign} has no diff yet: try again in a moment.") from None
        diffs = list(repository.compare(refs.sha("base_sha"), refs.sha("head_sha")).diffs)
    return merge_request, [ChangedFile(diff) for diff in diffs]


def lists_all(merge_request: Entity, files: Sequence[ChangedFile]) -> bool:
    """Whether these are all the files that a merge request changes: GitLab's list ends at a limit, git's does not.

    https://docs.gitlab.com/administration/diff_limits/
    """
    counted = LIMIT.fullmatch(merge_request.text("changes_count"))
    return counted is None or len(files) > int(counted[1])
