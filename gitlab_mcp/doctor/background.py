"""Calls that run at the same time, in daemon threads, which never keep the process from ending."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T], deadline: float) -> Callable[[], T]:
    """Start `call` in a daemon thread; returns a function that waits for its result or exception.

    It waits until `deadline` (as time.monotonic() counts) at most, then it raises TimeoutError.
    """
    future: Future[T] = Future()
    context = copy_context()

    def work() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001  # raised again by Future.result
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return lambda: future.result(max(0.0, deadline - time.monotonic()))
