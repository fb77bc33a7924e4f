"""Parser for the output of `git cat-file --batch`: https://git-scm.com/docs/git-cat-file#_batch_output"""

from collections.abc import Iterator


def parse_batch(output: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield the id and the content of each object; for a missing object, the requested name and None."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        fields = output[at:end].decode().split()
        at = end + 1
        if len(fields) != 3:
            yield fields[0], None
            continue
        size = int(fields[2])
        yield fields[0], output[at : at + size]
        at += size + 1
