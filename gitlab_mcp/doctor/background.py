"""Calls in daemon threads, which never keep the process from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T]) -> Future[T]:
    """Start `call` in a daemon thread; the future has its result or exception."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised again by Future.result
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
