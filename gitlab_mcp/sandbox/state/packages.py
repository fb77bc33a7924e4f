"""Generic packages in a project's package registry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from gitlab_mcp.sandbox.state.users import User


@dataclass(eq=False)
class PackageFile:
    """A file of a package; a package may have several files of one name, of which the newest is served."""

    id: int
    name: str
    content: bytes
    created_at: datetime

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(eq=False)
class Package:
    """A version of a generic package; `status` is default or hidden, and the pipeline that of the job that uploaded."""

    id: int
    name: str
    version: str
    creator: User
    created_at: datetime
    status: str = "default"
    pipeline_id: int | None = None
    last_downloaded_at: datetime | None = None
    files: list[PackageFile] = field(default_factory=list)

    def file(self, name: str) -> PackageFile | None:
        """The newest file with a name, or None."""
        return next((one for one in reversed(self.files) if one.name == name), None)
