"""The table of mentions in its SQLite file, and its rows."""

import fcntl
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    create_engine,
    event,
)

from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.mentions.listener.states import State

MENTIONS = Table(
    "mentions",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),
    Column("project_id", Integer, nullable=False),
    Column("project", String, nullable=False),  # its path
    Column("person", Integer, nullable=False),
    Column("thread", String, nullable=False),
    Column("subject", String, nullable=False),  # such as issues/7
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),  # of the step that follows the state
    Column("due_at", Float, nullable=False, index=True),  # times are seconds since the epoch
    Column("leased_until", Float, nullable=False, default=0.0),
    Column("received_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),  # when the state last changed
    Column("asked_at", Float, nullable=False, default=0.0),  # when GitLab was last asked for the pipeline
    Column("pipeline", Integer, nullable=False, default=0),
    Column("note", Integer, nullable=False, default=0),  # the tracking note
    Column("stopped_by", String, nullable=False, default=""),
    Column("reason", String, nullable=False, default=""),
    Column("cost_usd", Float, nullable=False, default=0.0),
    Column("memory", String, nullable=False, default="{}"),  # JSON: what a step leaves to the next one
    Column("payload", LargeBinary),  # compressed; None once the mention has ended well
    sqlite_autoincrement=True,  # an id never names a second mention
)


@dataclass(frozen=True)
class NewMention:
    """A mention to be stored. `key` names it: instance, project and note, or the change of an issue."""

    key: str
    project_id: int
    project: str
    person: int
    thread: str
    subject: str
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class StoredMention:
    """A row of the store, as its step sees it. `memory` is what earlier steps left."""

    id: int
    key: str
    project_id: int
    project: str
    person: int
    thread: str
    subject: str
    state: State
    attempts: int
    leased_until: float
    received_at: float
    changed_at: float
    asked_at: float
    pipeline: int
    note: int
    stopped_by: str
    reason: str
    memory: Mapping[str, Any] = field(repr=False)
    payload: bytes = field(repr=False)

    @property
    def is_claimed(self) -> bool:
        """Whether the worker that has it goes on with it."""
        return self.leased_until > 0


def stored_mention(row: Row[Any]) -> StoredMention:
    named = row._asdict()
    values = {name: named[name] for name in StoredMention.__dataclass_fields__}
    values |= {
        "state": State(named["state"]),
        "memory": json.loads(named["memory"]),
        "payload": zlib.decompress(named["payload"]) if named["payload"] else b"",
    }
    return StoredMention(**values)


def opened(path: Path) -> Engine:
    """The database, each of whose transactions is on the disk when it ends."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10.0})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a row is on the disk before its webhook is answered

    return engine


def locked(path: Path) -> int:
    """A descriptor whose lock says that this process uses the database. Raises SettingsError where another does."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"The database {path} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SettingsError(f"Another listener uses the database {path}: give each one its own.") from error
    return descriptor
