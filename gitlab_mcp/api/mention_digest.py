"""The digest of what a run was asked: a run whose comment, title or description was edited since does not start."""

import hashlib
import json
import re

# The payloads of webhooks have the addresses of images made absolute (lib/gitlab/hook_data/base_builder.rb), GitLab's
# API has them as they were written. What stands before the path of an upload, or is only a host, is left out of both.
IMAGE_ADDRESS = re.compile(
    r"(!\[[^\n\[]{0,200}?\]\()(?:[^\s()]{0,500}?(?=/uploads/[0-9a-f]{32}/)|https?://[^\s()/]{1,255}(?=/))?/*"
)


def mention_digest(comment: str, title: str, description: str) -> str:
    """The SHA-256, in hexadecimal, of the texts as GitLab stores them.

    `comment` is "" where no comment asked; `title` and `description` are "" for a commit, which never changes.
    """
    texts = [comment, title, IMAGE_ADDRESS.sub(r"\1", description)]
    text = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
