"""Git's objects, computed without git."""

import hashlib


def blob_id(content: bytes, digits: int = 40) -> str:
    """Git's id of a blob, in a repository whose ids have so many hexadecimal digits (64: SHA-256)."""
    digest = hashlib.sha256() if digits == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()
