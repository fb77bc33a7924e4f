"""The workers: threads that claim mentions which are due, and take them from state to state."""

import math
import threading
import time
from collections.abc import Callable

from gitlab_mcp.api.deadline import limited
from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.errors import Failure, GitLabRefusal
from gitlab_mcp.mentions.listener.backoff import MOST_ATTEMPTS, MOST_ATTEMPTS_TO_FOLLOW, seconds_until_next_try
from gitlab_mcp.mentions.listener.config import ListenerConfig
from gitlab_mcp.mentions.listener.states import State
from gitlab_mcp.mentions.listener.steps import GIVEN_UP, STEP_AFTER
from gitlab_mcp.mentions.listener.store import LEASE_SECONDS, StoreFailed
from gitlab_mcp.mentions.listener.table import StoredMention
from gitlab_mcp.mentions.listener.work import Service, StepWork, logger

WORKERS = 8
STEP_SECONDS = LEASE_SECONDS / 2
LONGEST_IDLE = 1.0  # `listen retry` is another process, which wakes nobody
DRAINING_SECONDS = 20.0  # with the time for open deliveries less than the 30 s after which Kubernetes kills
FORGET_SECONDS = 3600.0
UNEXPECTED = "An error in the listener itself; its log has the place."


class Workers:
    """The threads that do the steps, from `start` to `drain`."""

    def __init__(self, service: Service, config: Callable[[], ListenerConfig], number: int = WORKERS) -> None:
        self._service, self._config = service, config
        self._stopped = threading.Event()
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{index}", daemon=True) for index in range(number)
        ]
        self._forgotten = 0.0

    @property
    def alive(self) -> bool:
        """Whether all threads run and none is asked to end."""
        return not self._stopped.is_set() and all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Have a worker look at once for what is due."""
        with self._wake:
            self._wake.notify()

    def drain(self) -> bool:
        """Begin no further step, and wait DRAINING_SECONDS at most for the others; whether all have ended."""
        self._stopped.set()
        with self._wake:
            self._wake.notify_all()
        end = time.monotonic() + DRAINING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        failed = 0
        while not self._stopped.is_set():
            try:
                self._forget()
                mention = self._service.store.claim()
                while mention is not None:
                    mention = self._step(mention)
                    if mention is not None and self._stopped.is_set():
                        self._service.store.postpone(mention, 0.0)
                        mention = None
                    failed = 0
                    if mention is None and not self._stopped.is_set():
                        mention = self._service.store.claim()
                self._idle(min(LONGEST_IDLE, self._service.store.seconds_to_next()))
            except StoreFailed as error:  # the mention stays as it is, and is claimed again after its lease
                failed += 1
                logger.error("store", extra={"fields": {"error": str(error)}})
                self._stopped.wait(seconds_until_next_try(error, failed))

    def _idle(self, seconds: float) -> None:
        with self._wake:
            if not self._stopped.is_set() and seconds > 0:
                self._wake.wait(seconds)

    def _step(self, mention: StoredMention) -> StoredMention | None:
        """Do the step that follows the state of a mention; the mention, if the next one is to follow at once."""
        config = self._config()
        target = config.target(mention.project)
        if target is None:
            return self._give_up(mention, "The configuration does not name the project any more.")
        work = StepWork(mention, config, target, self._service)
        try:
            with limited(STEP_SECONDS):
                return STEP_AFTER[mention.state](work)
        except StoreFailed:
            raise
        except (Failure, SettingsError) as failure:
            return self._failed(work, failure, str(failure))
        except Exception as error:  # an error in this program must not end the worker  # noqa: BLE001
            logger.error("internal error", exc_info=error, extra={"fields": {"mention": mention.id}})
            return self._failed(work, error, UNEXPECTED)

    def _failed(self, work: StepWork, error: Exception, reason: str) -> StoredMention | None:
        mention = self._service.store.current(work.mention)
        attempts = mention.attempts + 1
        self._service.metrics.failures.labels(str(mention.state)).inc()
        # A pipeline goes on while GitLab is away, so that it is followed for as long as it may run.
        most = MOST_ATTEMPTS_TO_FOLLOW if mention.state is State.RUNNING else MOST_ATTEMPTS
        seconds = seconds_until_next_try(error, attempts, most)
        fields = {
            "mention": mention.id,
            "state": str(mention.state),
            "attempts": attempts,
            "class": type(error).__name__,
        }
        if isinstance(error, GitLabRefusal):
            fields["status"] = error.status
        logger.warning("step failed", extra={"fields": fields})
        if seconds == math.inf:
            return self._give_up(mention, reason)
        self._service.store.postpone(mention, seconds, attempts=attempts)
        return None

    def _give_up(self, mention: StoredMention, reason: str) -> StoredMention | None:
        state = GIVEN_UP[mention.state]
        # The reason for which it was first given up stays: a note that cannot be written is only a consequence.
        reason = mention.reason or reason
        self._service.metrics.moved(state)
        logger.error(
            "given up", extra={"fields": {"mention": mention.id, "state": str(mention.state), "reason": reason}}
        )
        mention = self._service.store.advance(mention, state, reason=reason)
        return mention if mention.is_claimed else None

    def _forget(self) -> None:
        if time.monotonic() - self._forgotten > FORGET_SECONDS or not self._forgotten:
            self._forgotten = time.monotonic()
            self._service.store.forget_old()
