"""The artifacts of a job: the files of its archive, which GitLab lists and sends one by one, without the archive.

https://docs.gitlab.com/api/job_artifacts/
"""

from gitlab_mcp.api.client import Beginning, GitLab, Page, segment
from gitlab_mcp.errors import NotFound, Refused

ARTIFACTS_PER_PAGE = 100
# The nouns of GitLab's 404 where the archive, the folder or the project is missing. An older GitLab, which looks for a
# file called tree, names none, nor does one that has no such job.
MISSING_NOUNS = ("Artifacts", "Path", "Project")
TREE = "tree"


def tree(gitlab: GitLab, job: str, folder: str, page: int, *, recursive: bool) -> Page:
    """A page of the entries of a folder of the archive of the job at an API path.

    Raises NotFound where the job has no archive, or this GitLab does not list one.
    """
    query = {"path": folder, "recursive": "true" if recursive else ""}
    try:
        return gitlab.page(f"{job}/artifacts/{TREE}", page, ARTIFACTS_PER_PAGE, **query)
    except NotFound as missing:
        if not any(noun in missing.reason for noun in MISSING_NOUNS):
            missing.text += " Or it has no artifacts; and GitLab lists them in version 18.8 and newer only."
        raise


def read(gitlab: GitLab, job: str, path: str, size: int) -> Beginning:
    """The first `size` bytes of a file in the archive of the job at an API path.

    GitLab takes it out of the archive: what a link in an archive points to is never read, only the text of the link.
    """
    if path == TREE:  # at this address GitLab lists the archive
        raise Refused('GitLab does not send a file called "tree" at the top of an archive: open it on the job\'s page.')
    return gitlab.beginning(f"{job}/artifacts/{'/'.join(map(segment, path.split('/')))}", size)
