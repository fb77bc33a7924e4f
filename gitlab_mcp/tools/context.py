"""The tool context: the settings and the GitLab client of a run, and the lookup of what a tool's arguments name.

Every tool takes a Ctx as its first parameter. A Ctx resolves `project`, `iid` and their defaults to a Project, a
Repository, the working directory, or a Noteable (an issue or merge request). An App holds what all calls of a server
share; a Ctx belongs to one call.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from gitlab_mcp.api import my_work
from gitlab_mcp.api.author_roles import SECONDS_TO_LOOK_AGAIN, Authors, Members
from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.issues import Issues
from gitlab_mcp.api.notes import Notes
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.reviews.submit import Reviews
from gitlab_mcp.api.trigger import Trigger
from gitlab_mcp.api.uploads import Uploads
from gitlab_mcp.config.checkout import WorkingDirectory
from gitlab_mcp.config.job_context import Noun
from gitlab_mcp.config.memory import return_large_buffers
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Failure, InvalidArgument
from gitlab_mcp.git.process import end_running
from gitlab_mcp.repository.configuration_files import configuration_files
from gitlab_mcp.repository.git_backend.backend import GitBackend
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.repository.reading import ref_in
from gitlab_mcp.repository.rest_backend import RestBackend
from gitlab_mcp.repository.worktree import Worktree
from gitlab_mcp.safety.public_values import PublicValues
from gitlab_mcp.safety.validation import repository_path
from gitlab_mcp.tools.references import GROUP, Reference, hint, is_url, parsed

T = TypeVar("T")

TOOL_THREADS = 64
FILES_AT_ONCE = 2  # attached files, or artifacts, that calls read at a time: each is in memory in copies of 4 MB
NOUNS: dict[str, Noun] = {"issue": "issue", "merge request": "merge request"}


class App:
    """What all calls of a server share: client, caches, threads, and the repositories on disk."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gitlab = GitLab(settings)
        self.notes = Notes(self.gitlab)
        self.reviews = Reviews(self.gitlab, self.notes)
        self.issues = Issues(self.gitlab)
        self.uploads = Uploads(self.gitlab)
        self.members = Members(self.gitlab)
        self.trigger = Trigger(self.gitlab)
        self.files = threading.BoundedSemaphore(FILES_AT_ONCE)
        self.executor = ThreadPoolExecutor(TOOL_THREADS, thread_name_prefix="tool")
        directory = settings.working_directory or settings.other_checkout
        self.worktree = Worktree(directory.path, directory.commit) if directory else None
        self._asked_for_names = False
        self._projects: dict[str, Project] = {}
        self._repositories: dict[str, GitBackend] = {}
        self._lock = threading.Lock()
        self.public_values = PublicValues(settings, self._files_of_target_branch)

    def close(self) -> None:
        """End the git processes that still run and remove the repositories from the disk."""
        end_running()
        with self._lock:
            for repository in self._repositories.values():
                repository.close()
            self._repositories.clear()

    def project(self, name: str) -> Project:
        """Return the project `name`: the same object for each call, so that its data is fetched only once."""
        with self._lock:
            if len(self._projects) > 1000:
                self._projects.clear()
            return self._projects.setdefault(name, Project(self.gitlab, name))

    def checkout(self) -> WorkingDirectory | None:
        """Return the working directory of the run, if it is a checkout of a project of this GitLab.

        Only GitLab can say whether an origin on another host than the configured one has a name of it.
        """
        other = self.settings.other_checkout
        if other is None:
            return self.settings.working_directory
        project = self.gitlab.site.project_of_origin(other.remote)
        if not project and not self._asked_for_names:
            with suppress(Failure):
                my_work.projects(self.gitlab, "", 1, 1, mine=True)
                self._asked_for_names = True
            project = self.gitlab.site.project_of_origin(other.remote)
        return WorkingDirectory(other.path, project) if project else None

    def repository(self, project: Project) -> Repository:
        """Return the repository of a project, with the backend of this run.

        The backend is git with the job token if no credential may write over REST, otherwise REST.
        """
        if not self.gitlab.identity.pushes():
            return RestBackend(project)
        path = project.full_path
        with self._lock:
            if path.lower() not in self._repositories:
                self._repositories[path.lower()] = GitBackend(project)
            return self._repositories[path.lower()]

    def _files_of_target_branch(self) -> Iterable[bytes]:
        """The files of the branch that changes of the run go into."""
        settings = self.settings
        name = next(filter(None, settings.own_project), settings.project)
        if not name or settings.merge_request:  # in a fork's pipeline that branch is in another project
            return ()
        repository = self.repository(self.project(name))
        return configuration_files(self.gitlab, repository, settings.job.target_branch or repository.default_branch)


@dataclass(frozen=True)
class Place:
    """A file or folder at a ref of a repository; `lines` are the first and last line that a URL names, else 0.

    `ref` "" stands for the default branch. `project` is the argument with which another call finds the same project.
    """

    repository: Repository
    ref: str
    path: str
    project: str
    lines: tuple[int, int] = (0, 0)

    def read(self, read: Callable[[str], T]) -> tuple[str, T]:
        """Return the ref, or the name of the default branch, and what `read` returns for it."""
        return (self.ref, read(self.ref)) if self.ref else self.repository.at_default_branch(read)


@dataclass(frozen=True)
class Ctx:
    """The context of one tool call: the first parameter of every tool."""

    app: App

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.app.settings

    @property
    def gitlab(self) -> GitLab:
        """The client of the run's GitLab."""
        return self.app.gitlab

    @contextmanager
    def file_in_memory(self) -> Iterator[None]:
        """Wait until fewer than FILES_AT_ONCE other calls read an attached file or an artifact.

        Raises Unreachable when the call is out of time or cancelled.
        """
        return_large_buffers()
        while not self.app.files.acquire(timeout=min(SECONDS_TO_LOOK_AGAIN, current_call.get().remaining())):
            pass
        try:
            yield
        finally:
            self.app.files.release()

    def project(self, argument: str) -> Project:
        """Return the project of this call: the one that the argument names (path, id or web URL), else the run's own.

        Raises InvalidArgument when there is neither, or the URL is of another GitLab.
        """
        name = argument.strip().strip("/")
        if name.lower().startswith(("http://", "https://")):
            name = self._project_of_url(name)
        if not (name := name or self.settings.project or self._project_of_checkout()):
            raise InvalidArgument(my_work.no_project_message(self.gitlab))
        return self.app.project(name)

    def _project_of_checkout(self) -> str:
        checkout = self.app.checkout()
        return checkout.project if checkout else ""

    def repository(self, project: Project) -> Repository:
        """Return the repository of a project."""
        return self.app.repository(project)

    def worktree(self, project: Project) -> Worktree | None:
        """Return the working directory if it is a checkout of `project`, else None."""
        directory = self.app.checkout()
        return self.app.worktree if directory and project.is_called(directory.project) else None

    def begin_authors(self, project: Project) -> None:
        """Start to fetch, in the background, the roles that `authors` returns.

        In a job with two tokens, also which of them may write: most runs that read an issue go on to the repository.
        """
        self.app.members.begin(project.path)
        if self.settings.push_token and self.settings.credential.kind == "access token":
            self.gitlab.start(self.gitlab.identity.pushes)

    def authors(self, project: Project, texts: Iterable[Entity]) -> Authors:
        """Return the roles of the authors of `texts` (issues, merge requests, notes)."""
        return self.app.members.authors(project.path, (text.entity("author") for text in texts))

    def list_authors(self, project: Project, rows: Iterable[Entity]) -> Authors:
        """Return the roles of the authors of the rows of a list.

        A row shows only a title, so that the requests are worth it only with --trusted-only, which withholds titles.
        """
        return self.authors(project, rows) if self.settings.trusted_only else Authors()

    def authors_across(self, rows: Iterable[Entity]) -> dict[int, Authors]:
        """Return the same as `list_authors` for rows of several projects, by project id."""
        if not self.settings.trusted_only:
            return {}
        projects: dict[int, list[Entity]] = {}
        for row in rows:
            projects.setdefault(row.number("project_id"), []).append(row.entity("author"))
        return {number: self.app.members.authors(f"/projects/{number}", users) for number, users in projects.items()}

    def noteable(self, noun: Noun, reference: str, project: str = "") -> Noteable:
        """Return the issue or merge request that `reference` (an iid or a web URL) names.

        "" stands for the issue or merge request that this run is about. Raises InvalidArgument when the reference names
        another noun, another GitLab, or a project other than `project`.
        """
        if not reference:
            return self._own_noteable(noun, project)
        found = parsed(reference)
        if found is None:
            raise InvalidArgument(f'"{reference}" does not name {_article(noun)}: give an iid such as 7, or a web URL.')
        if found.kind == GROUP:
            raise InvalidArgument(f"{hint(found)}.")
        if found.kind not in ("", noun):
            shown = "the URL of" if is_url(reference) else "how GitLab writes"
            raise InvalidArgument(
                f"{reference} is {shown} {_article(found.kind)}, and this tool expects {_article(noun)}."
            )
        return Noteable(noun, self._project_of(found, project), int(found.value), found.note)

    def place(self, path: str, ref: str, project: str) -> Place:
        """Return the place in a repository that `path` names, at `ref`, or the URL of its page.

        Raises InvalidArgument for the URL of another kind of page, NotFound when it names no ref of the project.
        """
        if not is_url(path):
            repository = self.repository(self.project(project))
            return Place(repository, ref, path, project)
        found = parsed(path)
        if found is None or found.kind not in ("file", "folder", "history"):
            raise InvalidArgument(f"path is {path}. {hint(found or Reference('', '', ''))}.")
        target = self._project_of(found, project)
        repository = self.repository(target)
        ref = ref or ref_in(repository, found.value)
        if ref != found.value and not found.value.startswith(f"{ref}/"):
            raise InvalidArgument(f"The URL is of {found.value}, but ref says {ref}: leave ref out.")
        return Place(repository, ref, repository_path(found.value[len(ref) + 1 :]), target.name, found.lines)

    def _project_of(self, found: Reference, project: str) -> Project:
        """Return the project that a reference names, else the one of the argument `project`."""
        if not found.project:
            return self.project(project)
        path = self._project_of_url(found.project) if is_url(found.project) else found.project
        if project and not self.project(project).is_called(path):
            raise InvalidArgument(f'The URL is of project "{path}", but project says "{project}": leave project out.')
        return self.app.project(path)

    def _own_noteable(self, noun: Noun, project: str) -> Noteable:
        """Return the issue or merge request that this run is about. Raises InvalidArgument if it is not a `noun`."""
        job = self.settings.job
        if project or job.noun is None:
            raise InvalidArgument(f"iid is missing: say which {noun}, such as 7.")
        if job.noun != noun:
            raise InvalidArgument(
                f"iid is missing: this run is about {job.noun} {job.sign}, and this tool expects {_article(noun)}."
            )
        return Noteable(noun, self.project(job.project_id), job.iid)

    def _project_of_url(self, url: str) -> str:
        """Return the path of the project in a URL of this GitLab, under the configured name or that of its pages."""
        site = self.gitlab.site
        if not (name := site.project_of(url)) and not site.is_known:
            # Only GitLab says under which other name its pages are: of the run's project, else of the one in the URL.
            path = self.settings.project or unquote(urlsplit(url).path).split("/-/")[0].strip("/")
            with suppress(Failure):
                site.learn(self.app.project(path).entity)
            name = site.project_of(url)
        if not name:
            raise InvalidArgument(
                f"{url} is not a project on {self.settings.url}, the only GitLab that this server talks to."
            )
        return name


def noun_of(reference: str) -> Noun | None:
    """Return the noun that a reference names by its sign or its URL; None for a bare number."""
    found = parsed(reference)
    return NOUNS.get(found.kind) if found else None


def _article(noun: str | None) -> str:
    return f"an {noun}" if noun == "issue" else f"a {noun}"
