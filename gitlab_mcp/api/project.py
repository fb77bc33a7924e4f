"""A project, and the issues and merge requests in it, as arguments name them."""

import re
import time
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.job_context import Noun
from gitlab_mcp.errors import InvalidArgument, JobTokenNotAccepted

BRANCH_NAME = re.compile(r"[^\x00-\x20\x7f-\x9f~^:?*\[\\]{1,255}")  # what git takes for the name of a branch, roughly
PROJECT_SECONDS = 300.0

PATH_OF: dict[Noun, str] = {"issue": "issues", "merge request": "merge_requests"}


class Project:
    """A project by the name it was given: a path such as "group/app", or a numeric id."""

    def __init__(self, gitlab: GitLab, name: str) -> None:
        self.gitlab = gitlab
        self.name = name
        self.path = f"/projects/{segment(name)}"
        self._entity = Entity(None)
        self._read_at = 0.0

    @property
    def entity(self) -> Entity:
        """The project as GitLab has it, at most five minutes old."""
        if not self._entity or time.monotonic() - self._read_at > PROJECT_SECONDS:
            entity = self.gitlab.get(self.path)
            # An empty repository gets its first commit at any moment: that answer is not kept.
            self._entity = Entity(None) if entity.flag("empty_repo") else entity
            self._read_at = time.monotonic()
            return entity
        return self._entity

    @property
    def full_path(self) -> str:
        """Its path with its groups, such as "group/app".

        Raises InvalidArgument for an id that only GitLab could name, with a job token that may not ask.
        """
        if not self.name.isdecimal():
            return self.name
        if found := self._other_name():
            return found
        try:
            return self.entity.text("path_with_namespace") or self.name
        except JobTokenNotAccepted as refused:
            raise InvalidArgument(f'{refused} Give the path of project {self.name}, such as "group/app".') from refused

    def _other_name(self) -> str:
        """The run's own project is known by its path and its id: the other of both, where this is one of them."""
        own = [name for name in self.gitlab.settings.own_project if name]
        others = [name for name in own if name.lower() != self.name.lower()]
        return others[0] if len(own) == 2 and len(others) == 1 else ""

    @property
    def web_url(self) -> str:
        """Where people see the project."""
        return f"{self.gitlab.settings.url}/{self.full_path}"

    @property
    def default_branch(self) -> str:
        """The default branch, also of an empty repository; "main" where GitLab does not say."""
        name = self.entity.text("default_branch")
        return name if BRANCH_NAME.fullmatch(name) else "main"

    def is_called(self, name: str) -> bool:
        """Whether `name`, a path or an id, names this project."""
        if self.name.lower() == name.lower():
            return True
        if self.name.isdecimal() == name.isdecimal():
            return False
        if own := self._other_name():
            return own.lower() == name.lower()
        try:
            return name.lower() in (self.entity.text("path_with_namespace").lower(), self.entity.text("id"))
        except JobTokenNotAccepted:
            return False


@dataclass(frozen=True)
class Noteable:
    """An issue or merge request: GitLab's word for what can have notes."""

    noun: Noun
    project: Project
    iid: int
    note: str = ""

    @property
    def path(self) -> str:
        return f"{self.project.path}/{PATH_OF[self.noun]}/{self.iid}"

    @property
    def web_url(self) -> str:
        return f"{self.project.web_url}/-/{PATH_OF[self.noun]}/{self.iid}"

    @property
    def sign(self) -> str:
        """`#7` or `!12`, as GitLab writes it."""
        return f"{'#' if self.noun == 'issue' else '!'}{self.iid}"
