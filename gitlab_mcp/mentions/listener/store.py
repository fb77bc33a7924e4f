"""The store: one table in an SQLite file, with a row for each mention, written before GitLab has its answer."""

import json
import os
import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.mentions.listener.states import ENDED, WITH_RUN, State, check_transition
from gitlab_mcp.mentions.listener.table import MENTIONS, NewMention, StoredMention, locked, opened, stored_mention

T = TypeVar("T")

LEASE_SECONDS = 120.0  # longer than one step may take
BATCH = 200  # writes in one transaction
KEPT_SECONDS = 30 * 86_400.0  # how long an ended mention is kept, so that its delivery can be told as one already seen


class StoreFailed(Exception):
    """The store cannot be read or written, most likely because of the disk."""


class Store:
    """The mentions of one listener. Thread-safe.

    One listener works on a file at a time. All writes go through one thread, which writes what is waiting in one
    transaction, so that a slow disk is waited for once and not for each of them.
    """

    def __init__(self, path: Path, *, alone: bool = True) -> None:
        """Open the file, or create it; `alone` is False beside a listener that works on it.

        Raises SettingsError where it cannot be used.
        """
        self._lock = locked(path) if alone else -1
        self._engine = opened(path)
        self._writes: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._keep_writing, name="store", daemon=True)
        try:
            with self._engine.begin() as connection:
                MENTIONS.metadata.create_all(connection)
                if alone:  # so whoever held a lease is gone
                    connection.execute(update(MENTIONS).where(MENTIONS.c.leased_until > 0).values(leased_until=0.0))
        except SQLAlchemyError as error:
            self._unlock()
            raise SettingsError(f"The database {path} cannot be used: {_cause(error)}.") from error
        self._writer.start()

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self._writes.put(None)
        self._writer.join()
        self._engine.dispose()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)

    def add(self, mention: NewMention) -> "Future[bool]":
        """Store a mention, unless it is there; whether it is new. The future is done once it is on the disk."""
        now = time.time()
        statement = (
            insert(MENTIONS)
            .values(
                key=mention.key,
                project_id=mention.project_id,
                project=mention.project,
                person=mention.person,
                thread=mention.thread,
                subject=mention.subject,
                state=State.RECEIVED,
                due_at=now,
                received_at=now,
                changed_at=now,
                payload=zlib.compress(mention.payload, 1),
            )
            .on_conflict_do_nothing(index_elements=["key"])
        )
        return self._write(lambda connection: connection.execute(statement).rowcount > 0)

    def claim(self) -> StoredMention | None:
        """Take the mention that is due the longest, for LEASE_SECONDS; None where none is due."""
        return self._write(_claim).result()

    def seconds_to_next(self) -> float:
        """Seconds until a mention is due; infinity where none waits."""
        waiting = select(func.min(MENTIONS.c.due_at)).where(MENTIONS.c.state.not_in(ENDED), _free(time.time()))
        due = self._read(lambda connection: connection.execute(waiting).scalar())
        return float("inf") if due is None else max(0.0, due - time.time())

    def advance(self, mention: StoredMention, state: State, *, seconds: float = 0.0, **values: Any) -> StoredMention:
        """Give a claimed mention its next state, due in `seconds`, and return it; it stays claimed where that is 0.

        `values` are further columns. The payload of a mention that has ended well is forgotten.

        Raises NoSuchTransition where that state cannot follow.
        """
        check_transition(mention.state, state)
        now = time.time()
        values |= {"state": state, "attempts": 0, "changed_at": now, "due_at": now + seconds}
        if state in ENDED and state is not State.FAILED:
            values |= {"payload": None, "memory": {}}
        leased = now + LEASE_SECONDS if not seconds and state not in ENDED else 0.0
        return self._change(mention, {**values, "leased_until": leased})

    def note_down(self, mention: StoredMention, **values: Any) -> StoredMention:
        """Change columns of a claimed mention other than its state, and return it."""
        return self._change(mention, values)

    def postpone(self, mention: StoredMention, seconds: float, *, attempts: int = 0, **values: Any) -> None:
        """Leave a claimed mention as it is, to be claimed again in `seconds`."""
        values |= {"due_at": time.time() + seconds, "leased_until": 0.0, "attempts": attempts}
        self._change(mention, values)

    def stop(self, mention: StoredMention, person: str, *, whole_subject: bool) -> int:
        """Have the runs stopped that the thread of a mention, or all of its subject, asked for before it.

        Returns how many are being stopped in the name of `person`.
        """
        now = time.time()
        column = MENTIONS.c.subject if whole_subject else MENTIONS.c.thread
        active = and_(
            MENTIONS.c.project_id == mention.project_id,
            column == (mention.subject if whole_subject else mention.thread),
            MENTIONS.c.id < mention.id,
            MENTIONS.c.state.in_((WITH_RUN - ENDED) | {State.RECEIVED}),
        )
        stopping = update(MENTIONS).where(active, MENTIONS.c.stopped_by == "")
        stopping = stopping.values(stopped_by=person, due_at=func.min(MENTIONS.c.due_at, now))
        counting = select(func.count()).where(active, MENTIONS.c.stopped_by == person)

        def work(connection: Connection) -> int:
            connection.execute(stopping)
            return connection.execute(counting).scalar() or 0

        return self._write(work).result()

    def current(self, mention: StoredMention) -> StoredMention:
        """The row of a mention as it is now."""
        found = select(MENTIONS).where(MENTIONS.c.id == mention.id)
        return self._read(lambda connection: stored_mention(connection.execute(found).one()))

    def retry(self, number: int) -> bool:
        """Begin again with a dead letter; whether there is one with this id."""
        check_transition(State.FAILED, State.RECEIVED)
        now = time.time()
        is_it = and_(MENTIONS.c.id == number, MENTIONS.c.state == State.FAILED)
        cleared = {"attempts": 0, "due_at": now, "changed_at": now, "reason": "", "stopped_by": "", "asked_at": 0.0}

        def work(connection: Connection) -> bool:
            pipeline = connection.execute(select(MENTIONS.c.pipeline).where(is_it)).scalar()
            memory = json.dumps({"again": True, "old_pipeline": pipeline or 0})
            again = update(MENTIONS).where(is_it).values(**cleared, state=State.RECEIVED, memory=memory, pipeline=0)
            return connection.execute(again).rowcount > 0

        return self._write(work).result()

    def dead_letters(self) -> list[tuple[int, str, float, str]]:
        """The mentions that were given up, newest first: id, key, changed_at and reason."""
        columns = (MENTIONS.c.id, MENTIONS.c.key, MENTIONS.c.changed_at, MENTIONS.c.reason)
        found = select(*columns).where(MENTIONS.c.state == State.FAILED).order_by(MENTIONS.c.id.desc())
        return self._read(lambda connection: [(row[0], row[1], row[2], row[3]) for row in connection.execute(found)])

    def by_state(self) -> Mapping[str, int]:
        """How many mentions are in each state."""
        counted = select(MENTIONS.c.state, func.count()).group_by(MENTIONS.c.state)
        rows = self._read(lambda connection: connection.execute(counted).all())
        return {row[0]: row[1] for row in rows}

    def runs_since(self, since: float, project_id: int, *, person: int | None = None, without: int = 0) -> int:
        """How many runs of a project, or of one person in it, were accepted since a time; `without` is not counted."""
        counted = select(func.count()).where(*_with_run(since, project_id), MENTIONS.c.id != without)
        if person is not None:
            counted = counted.where(MENTIONS.c.person == person)
        return self._read(lambda connection: connection.execute(counted).scalar()) or 0

    def spent_since(self, since: float, project_id: int) -> float:
        """What the runs of a project cost since a time, in US dollars."""
        total = select(func.sum(MENTIONS.c.cost_usd)).where(*_with_run(since, project_id))
        return self._read(lambda connection: connection.execute(total).scalar()) or 0.0

    def last_refusal(self, project_id: int, thread: str, person: int, without: int) -> float:
        """When a person was last refused in a thread, not counting mention `without`; 0 for never."""
        last = select(func.max(MENTIONS.c.received_at)).where(
            MENTIONS.c.project_id == project_id,
            MENTIONS.c.thread == thread,
            MENTIONS.c.person == person,
            MENTIONS.c.state.in_((State.REFUSING, State.REFUSED)),
            MENTIONS.c.id != without,
        )
        return self._read(lambda connection: connection.execute(last).scalar()) or 0.0

    def has_pipeline(self, project_id: int, pipeline: int, without: int) -> bool:
        """Whether a pipeline is known to be of another mention than `without`."""
        found = select(MENTIONS.c.id).where(
            MENTIONS.c.project_id == project_id, MENTIONS.c.pipeline == pipeline, MENTIONS.c.id != without
        )
        return self._read(lambda connection: connection.execute(found).first()) is not None

    def forget_old(self) -> int:
        """Delete the mentions that ended long ago, but no dead letters; how many that were."""
        old = and_(MENTIONS.c.state.in_(ENDED - {State.FAILED}), MENTIONS.c.changed_at < time.time() - KEPT_SECONDS)
        return self._write(lambda connection: connection.execute(MENTIONS.delete().where(old)).rowcount).result()

    def check(self) -> "Future[object]":
        """A write that changes nothing, to see whether the disk takes writes."""
        return self._write(
            lambda connection: connection.execute(update(MENTIONS).where(MENTIONS.c.id < 0).values(id=0))
        )

    def _change(self, mention: StoredMention, values: Mapping[str, Any]) -> StoredMention:
        values = {name: json.dumps(value) if name == "memory" else value for name, value in values.items()}
        changing = update(MENTIONS).where(MENTIONS.c.id == mention.id).values(**values)
        return self._write(partial(_changed, mention.id, changing)).result()

    def _write(self, work: Callable[[Connection], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._writes.put((work, future))
        return future

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise StoreFailed(f"The database cannot be read: {_cause(error)}.") from error

    def _keep_writing(self) -> None:
        while (first := self._writes.get()) is not None:
            batch, ended = [first], False
            while len(batch) < BATCH and not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    ended = True
                    break
                batch.append(following)
            self._write_batch(batch)
            if ended:
                return

    def _write_batch(self, batch: Sequence[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        results: list[Any] = []
        try:
            with self._engine.begin() as connection:
                results += [work(connection) for work, _ in batch]
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            failed = StoreFailed(f"The database cannot be written: {_cause(error)}.")
            failed.__cause__ = error
            for _, future in batch:
                future.set_exception(failed)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)


def _free(now: float) -> Any:
    return MENTIONS.c.leased_until <= now


def _with_run(since: float, project_id: int) -> Iterable[Any]:
    return (
        MENTIONS.c.project_id == project_id,
        MENTIONS.c.received_at >= since,
        MENTIONS.c.state.in_(WITH_RUN),
    )


def _claim(connection: Connection) -> StoredMention | None:
    now = time.time()
    due = (
        select(MENTIONS.c.id)
        .where(MENTIONS.c.due_at <= now, _free(now), MENTIONS.c.state.not_in(ENDED))
        .order_by(MENTIONS.c.due_at)
        .limit(1)
    )
    number = connection.execute(due).scalar()
    if number is None:
        return None
    leasing = update(MENTIONS).where(MENTIONS.c.id == number).values(leased_until=now + LEASE_SECONDS)
    return _changed(number, leasing, connection)


def _changed(number: int, changing: Any, connection: Connection) -> StoredMention:
    connection.execute(changing)
    return stored_mention(connection.execute(select(MENTIONS).where(MENTIONS.c.id == number)).one())


def _cause(error: Exception) -> str:
    """What went wrong, without the statement and its values."""
    return str(getattr(error, "orig", None) or type(error).__name__)
