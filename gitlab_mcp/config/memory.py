"""Memory that large buffers took goes back to the system as soon as they are freed."""

from contextlib import suppress
from functools import cache

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
OWN_PAGES_BYTES = 512 * 1024


@cache
def return_large_buffers() -> None:
    """Tell glibc to give each large buffer pages of its own.

    glibc raises the size from which it does so up to that of the largest buffer that was freed (mallopt(3)). Buffers of
    images then stand among small objects, and ten images left 130 MB that no other program could use. Other libraries
    of C do not have this setting, or need not be told.
    """
    import ctypes  # takes 2 ms of every start, and few runs read an image

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, OWN_PAGES_BYTES)
