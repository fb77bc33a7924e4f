"""A step of a setup: one thing that is looked at, changed, read back and taken back by itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import NotFound
from gitlab_mcp.repository.rest_backend import RestBackend
from gitlab_mcp.setup.facts import SetupFacts
from gitlab_mcp.setup.listener_files import ListenerFiles
from gitlab_mcp.setup.options import SetupOptions
from gitlab_mcp.setup.origin import Origin
from gitlab_mcp.setup.own_files import PackedServer, packed_server
from gitlab_mcp.setup.plan import InPlace, Outcome
from gitlab_mcp.setup.secrets import Secrets
from gitlab_mcp.setup.state import SetupState

# What setup makes carries this sentence wherever GitLab keeps a description, so that a later run knows it again.
MADE_BY_SETUP = "Made by gitlab-mcp-server setup."


@dataclass(frozen=True)
class SetupContext:
    """What the steps work with. Requests go to the project by its id, which a rename does not change.

    `seconds` is the limit of one step with all its requests, repetitions and look-ups.
    """

    gitlab: GitLab
    facts: SetupFacts
    options: SetupOptions
    secrets: Secrets
    state: SetupState
    origin: Origin = None
    seconds: float = 120.0

    @cached_property
    def project(self) -> Project:
        """The project that is set up."""
        return Project(self.gitlab, str(self.facts.id))

    @cached_property
    def repository(self) -> RestBackend:
        """Its repository."""
        return RestBackend(self.project)

    @cached_property
    def listener(self) -> ListenerFiles:
        """The configuration of the listener on this machine."""
        folder = self.options.listener_folder
        return ListenerFiles(folder, self.gitlab.settings.url, self.facts.id, self.facts.path)

    @cached_property
    def packed(self) -> PackedServer:
        """This installation, packed."""
        return packed_server()


def look_at(page: str) -> str:
    """How a person looks up whether a write took effect."""
    return f"Look at {page}."


def delete_once(setup: SetupContext, path: str, is_gone: Callable[[], bool], page: str) -> None:
    """Delete an object that may be gone already; `page` is where a person looks for it."""

    def send() -> bool:
        try:
            setup.gitlab.send("delete", path)
        except NotFound:
            if not is_gone():
                raise
        return True

    write_once(send, lambda: is_gone() or None, look_at(page))


class SetupStep(ABC):
    """One step. `needs` are the ids of the steps without which it makes no sense.

    Every method may raise a Failure. `apply` and `undo` are called where there is a change to make, and `look` or
    `look_undo` again after them: where the change is then still to be made, the step failed. An earlier run may have
    been interrupted anywhere; the next one finishes what it began.
    """

    id: str
    needs: Sequence[str] = ()

    @abstractmethod
    def look(self, setup: SetupContext) -> Outcome:
        """What this step would change."""

    @abstractmethod
    def apply(self, setup: SetupContext) -> None:
        """Make the change."""

    def look_undo(self, setup: SetupContext) -> Outcome:  # noqa: ARG002  # for steps that leave nothing behind
        """What taking this step back would change."""
        return InPlace("nothing")

    def undo(self, setup: SetupContext) -> None:  # noqa: B027  # as for look_undo
        """Take the change back."""
