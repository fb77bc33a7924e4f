"""What `git cat-file --batch` prints: https://git-scm.com/docs/git-cat-file#_batch_output"""

from collections.abc import Iterator


def objects_in(printed: bytes) -> Iterator[tuple[str, bytes | None]]:
    """The name that each object was asked for by or has, and its content; None where it is not there."""
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        fields = printed[at:end].decode().split()
        at = end + 1
        if len(fields) != 3:
            yield fields[0], None
            continue
        size = int(fields[2])
        yield fields[0], printed[at : at + size]
        at += size + 1
