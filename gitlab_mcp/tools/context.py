"""What a tool is given: the GitLab of this run, and the things that its arguments name."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gitlab_mcp.api import my_work
from gitlab_mcp.api.author_roles import Authors, Members
from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.issues import Issues
from gitlab_mcp.api.notes import Notes
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.reviews.submit import Reviews
from gitlab_mcp.config.checkout import project_of_remote
from gitlab_mcp.config.job_context import Noun
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.git.process import end_running
from gitlab_mcp.repository.git_backend.backend import GitBackend
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.repository.rest_backend import RestBackend
from gitlab_mcp.repository.worktree import Worktree
from gitlab_mcp.tools.params import REFERENCE, web_reference

TOOL_THREADS = 64


class App:
    """What lives as long as the server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gitlab = GitLab(settings)
        self.notes = Notes(self.gitlab)
        self.reviews = Reviews(self.gitlab, self.notes)
        self.issues = Issues(self.gitlab)
        self.members = Members(self.gitlab)
        self.executor = ThreadPoolExecutor(TOOL_THREADS, thread_name_prefix="tool")
        directory = settings.working_directory
        self.worktree = Worktree(directory.path, directory.commit) if directory else None
        self._projects: dict[str, Project] = {}
        self._repositories: dict[str, GitBackend] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End what still runs and remove what is on the disk."""
        end_running()
        with self._lock:
            for repository in self._repositories.values():
                repository.close()
            self._repositories.clear()

    def project(self, name: str) -> Project:
        """The project `name`; the same object each time, so that what is known of it is asked once."""
        with self._lock:
            if len(self._projects) > 1000:
                self._projects.clear()
            return self._projects.setdefault(name, Project(self.gitlab, name))

    def repository(self, project: Project) -> Repository:
        """The repository of a project, by the one road of this run: git with the job token where nothing may write
        over REST, else REST.
        """
        if not self.gitlab.identity.pushes():
            return RestBackend(project)
        path = project.full_path
        with self._lock:
            if path.lower() not in self._repositories:
                self._repositories[path.lower()] = GitBackend(project)
            return self._repositories[path.lower()]


@dataclass(frozen=True)
class Ctx:
    """The first parameter of every tool."""

    app: App

    @property
    def settings(self) -> Settings:
        return self.app.settings

    @property
    def gitlab(self) -> GitLab:
        return self.app.gitlab

    def project(self, given: str) -> Project:
        """The project of this call: the one given (path, id or web URL), else the run's own.

        Raises InvalidArgument when there is neither, or the URL is another GitLab's.
        """
        name = given.strip().strip("/")
        if name.lower().startswith(("http://", "https://")):
            name = self._project_of_url(name)
        name = name or self.settings.project
        if not name:
            raise InvalidArgument(my_work.no_project(self.gitlab))
        return self.app.project(name)

    def repository(self, project: Project) -> Repository:
        """The repository of a project."""
        return self.app.repository(project)

    def worktree(self, project: Project) -> Worktree | None:
        """The working directory, where it is a checkout of `project`."""
        directory = self.settings.working_directory
        return self.app.worktree if directory and project.is_called(directory.project) else None

    def begin_authors(self, project: Project) -> None:
        """Begin to ask for the roles that `authors` will tell."""
        self.app.members.begin(project.path)

    def authors(self, project: Project, texts: Iterable[Entity]) -> Authors:
        """What is known of those who wrote `texts` (issues, merge requests, notes)."""
        return self.app.members.authors(project.path, (text.entity("author") for text in texts))

    def list_authors(self, project: Project, rows: Iterable[Entity]) -> Authors:
        """The same for the rows of a list, whose titles alone are worth the look-ups only where some are withheld."""
        return self.authors(project, rows) if self.settings.trusted_only else Authors()

    def authors_across(self, rows: Iterable[Entity]) -> dict[int, Authors]:
        """The same for rows of several projects, by the ids of those."""
        if not self.settings.trusted_only:
            return {}
        projects: dict[int, list[Entity]] = {}
        for row in rows:
            projects.setdefault(row.number("project_id"), []).append(row.entity("author"))
        return {number: self.app.members.authors(f"/projects/{number}", users) for number, users in projects.items()}

    def noteable(self, noun: Noun, reference: str, project: str = "") -> Noteable:
        """The issue or merge request that `reference` (an iid or a web URL) names.

        "" stands for what this run is about. Raises InvalidArgument when it names another kind of thing, another
        GitLab, or a project other than `project`.
        """
        if not reference:
            return self._own_noteable(noun, project)
        if match := REFERENCE.fullmatch(reference):
            other = {"#": "issue", "!": "merge request"}.get(reference[0], noun)
            if other != noun:
                raise InvalidArgument(
                    f"{reference} is how GitLab writes {_article(other)}, and this wants {_article(noun)}."
                )
            return Noteable(noun, self.project(project), int(match[1]))
        found = web_reference(reference)
        if found is None:
            raise InvalidArgument(f'"{reference}" names no {noun}: give an iid such as 7, or its web URL.')
        if noun != noun_of(reference):
            raise InvalidArgument(
                f"{reference} is the URL of {_article(noun_of(reference))}, and this wants {_article(noun)}."
            )
        named = self._project_of_url(reference.split("/-/")[0])
        if project and not self.project(project).is_called(named):
            raise InvalidArgument(f'The URL is of project "{named}", but project says "{project}": leave project out.')
        return Noteable(noun, self.app.project(named), int(found["iid"]), found["note"] or "")

    def _own_noteable(self, noun: Noun, project: str) -> Noteable:
        """What this run is about, where that is a `noun`."""
        job = self.settings.job
        if project or job.noun is None:
            raise InvalidArgument(f"iid is missing: say which {noun}, such as 7.")
        if job.noun != noun:
            raise InvalidArgument(
                f"iid is missing: this run is about {job.noun} {job.sign}, and this wants {_article(noun)}."
            )
        return Noteable(noun, self.project(job.project_id), job.iid)

    def _project_of_url(self, url: str) -> str:
        name = project_of_remote(url.split("/-/")[0], self.settings.url)
        if not name:
            raise InvalidArgument(
                f"{url} is no project on {self.settings.url}, the only GitLab that this server talks to."
            )
        return name


def noun_of(reference: str) -> Noun | None:
    """What a reference says it is by its sign or its URL; None for a bare number."""
    if reference.startswith("#"):
        return "issue"
    if reference.startswith("!"):
        return "merge request"
    found = web_reference(reference)
    if found is None:
        return None
    return "merge request" if found["noun"] == "merge_requests" else "issue"


def _article(noun: str | None) -> str:
    return f"an {noun}" if noun == "issue" else f"a {noun}"
