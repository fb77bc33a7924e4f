"""A project, and an issue or merge request in it, as the arguments of a tool name them."""

import re
from contextlib import suppress
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.job_context import Noun
from gitlab_mcp.errors import Failure, InvalidArgument, JobTokenNotAccepted

BRANCH_NAME = re.compile(r"[^\x00-\x20\x7f-\x9f~^:?*\[\\]{1,255}")  # roughly the rules of git check-ref-format

PATH_OF: dict[Noun, str] = {"issue": "issues", "merge request": "merge_requests"}


class Project:
    """A project by its path, such as "group/app", or by its numeric id."""

    def __init__(self, gitlab: GitLab, name: str) -> None:
        self.gitlab = gitlab
        self.name = name
        self.path = f"/projects/{segment(name)}"

    @property
    def entity(self) -> Entity:
        """The project as GitLab describes it; cached, see GitLab.project."""
        return self.gitlab.project(self.name)

    @property
    def full_path(self) -> str:
        """The path with its groups, such as "group/app".

        Raises InvalidArgument for an id whose path GitLab does not tell a job token.
        """
        if not self.name.isdecimal():
            return self.name
        if path := self._other_name():
            return path
        try:
            return self.entity.text("path_with_namespace") or self.name
        except JobTokenNotAccepted as refused:
            raise InvalidArgument(f'{refused} Give the path of project {self.name}, such as "group/app".') from refused

    def _other_name(self) -> str:
        """The id for the path of the run's own project, or the path for its id; "" for any other project."""
        own = [name for name in self.gitlab.settings.own_project if name]
        others = [name for name in own if name.lower() != self.name.lower()]
        return others[0] if len(own) == 2 and len(others) == 1 else ""

    @property
    def web_url(self) -> str:
        """The URL of the project's page, under the name that GitLab itself gives its pages."""
        site = self.gitlab.site
        if not site.is_known:
            with suppress(Failure):  # a job token may not read the project
                site.learn(self.entity)
        return f"{site.url}/{self.full_path}"

    @property
    def default_branch(self) -> str:
        """The default branch, also of an empty repository; "main" where GitLab does not name one."""
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
    """An issue or merge request. GitLab calls an object that can have notes a noteable."""

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
        """GitLab's short reference, `#7` or `!12`."""
        return f"{'#' if self.noun == 'issue' else '!'}{self.iid}"
