"""What a step works on: a claimed mention, what is configured for its project, and where the step leaves it."""

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.tracking_note import NotePlace
from gitlab_mcp.mentions.listener.clients import Clients
from gitlab_mcp.mentions.listener.config import ListenerConfig, Target
from gitlab_mcp.mentions.listener.metrics import Metrics
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.store import Store
from gitlab_mcp.mentions.listener.stored_candidate import load_candidate
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.screening import Candidate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """What all workers share. `judging` is held from counting the runs of a person until one more is counted."""

    store: Store
    clients: Clients
    metrics: Metrics
    judging: threading.Lock = field(default_factory=threading.Lock)
    pipeline_names: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class StepWork:
    """One step on one mention. A step ends with `advance` or `later`."""

    mention: StoredMention
    config: ListenerConfig
    target: Target
    service: Service

    @cached_property
    def candidate(self) -> Candidate:
        """The event, as the webhook told it."""
        return load_candidate(self.mention.payload)

    @property
    def gitlab(self) -> GitLab:
        """The client with the listener's access token for this project."""
        return self.service.clients.of(self.target.gitlab)

    @property
    def project_path(self) -> str:
        """The API path of the project."""
        return f"/projects/{self.mention.project_id}"

    @property
    def noteable_path(self) -> str:
        """The API path of the issue, merge request or commit."""
        subject = self.candidate.subject
        folder = "repository/commits" if subject.kind == "commits" else subject.kind
        return f"{self.project_path}/{folder}/{subject.reference}"

    @property
    def place(self) -> NotePlace:
        """Where the mention is answered. A thread is looked at before anything is written in it."""
        candidate = self.candidate
        internal = candidate.confidential and not candidate.subject.confidential
        is_alone = not candidate.note
        return NotePlace(self.noteable_path, candidate.discussion, candidate.note, internal, confirmed=is_alone)

    @property
    def name(self) -> str:
        """The name in the markers of the listener's own notes about this mention; a run has the id of its job there."""
        return f".listener-{hashlib.sha256(self.mention.key.encode()).hexdigest()[:24]}"

    def advance(self, state: State, *, seconds: float = 0.0, **values: Any) -> StoredMention | None:
        """Give the mention its next state; the mention, if the next step is to follow at once."""
        self.service.metrics.moved(state)
        report = {"mention": self.mention.id, "project": self.mention.project_id, "state": str(state)}
        if reason := values.get("reason"):
            report["reason"] = reason
        logger.info("mention", extra={"fields": report})
        memory = {**self.mention.memory, **values.pop("memory", {})}
        mention = self.service.store.advance(self.mention, state, seconds=seconds, memory=memory, **values)
        return mention if mention.is_claimed else None

    def later(self, seconds: float) -> StoredMention | None:
        """Leave the mention in its state, and look again in `seconds`."""
        self.service.store.postpone(self.mention, seconds)
        return None
