"""Files that people attach to issues, merge requests and comments. GitLab calls them Markdown uploads.

https://docs.gitlab.com/api/project_markdown_uploads/. Whoever has the address of an upload can read it, unless the
project restricts that (https://docs.gitlab.com/user/project/working_with_projects/).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from gitlab_mcp.api.client import Beginning, GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import Deduplicator
from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import Unreachable

# How Markdown names an upload: FileUploader's MARKDOWN_PATTERN and VALID_SECRET_PATTERN in GitLab's app/uploaders. Its
# names have only letters, digits and these characters; links have them percent-encoded.
UPLOAD = re.compile(r"/uploads/(?P<secret>[0-9a-f]{32}|[0-9a-f]{10})/(?P<name>[\w.+%-]+)")
FILE_NAME = re.compile(r"(?!\.{1,2}\Z)[\w.+-]+")
NOT_POSTED = "The text was not posted: call again with the same arguments."


@dataclass(frozen=True)
class Upload:
    """An upload of a project, by the two parts of its address."""

    secret: str
    name: str


def uploads_in(text: str) -> Iterator[Upload]:
    """The uploads that a text names."""
    for match in UPLOAD.finditer(text):
        name = unquote(match["name"])
        if FILE_NAME.fullmatch(name):
            yield Upload(match["secret"], name)


def read(project: Project, upload: Upload, size: int) -> Beginning:
    """The first `size` bytes of an upload. Raises NotFound where the project has none of this address."""
    path = f"{project.path}/uploads/{upload.secret}/{segment(upload.name)}"
    return project.gitlab.beginning(path, size)


class Uploads:
    """The files that this run uploads. Thread-safe."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._deduplicator = Deduplicator()

    def upload(self, project: Project, name: str, content: bytes) -> Entity:
        """Upload a file, and return GitLab's description of it. The same file is not uploaded again for ten minutes.

        So a comment that is posted again has the same text, by which the first one is found. GitLab has no way to find
        an upload whose response was lost: it is sent again, and nothing names the first one.

        Raises AnswerLost where no response arrived in the end, Unreachable where it does not name the upload.
        """
        key = (project.full_path.lower(), name, hashlib.sha256(content).digest())
        send = partial(self._gitlab.upload, f"{project.path}/uploads", name, content)
        written, _ = self._deduplicator.create_once(key, send, lambda _began: None, NOT_POSTED)
        if not UPLOAD.search(written.result.text("markdown")):
            raise Unreachable(f"GitLab's response to an upload names no address. {NOT_POSTED}")
        return written.result
