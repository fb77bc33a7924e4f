"""The digest of what a run was asked: a run whose comment, title or description was edited since does not start."""

import hashlib
import json


def mention_digest(comment: str, title: str, description: str) -> str:
    """The SHA-256, in hexadecimal, of the texts as GitLab stores them; `comment` is "" where no comment asked."""
    texts = json.dumps([comment, title, description], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()
