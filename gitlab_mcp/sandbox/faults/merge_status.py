"""The fault that keeps GitLab busy with checking whether a merge request can be merged, for a number of responses.

GitLab prepares a new merge request and checks it in the background: until then detailed_merge_status is preparing,
unchecked or checking (GitLab docs, merge requests API, merge status). The sandbox answers at once what is true.
"""

from __future__ import annotations

import json
from typing import Any

STATUSES = ("preparing", "unchecked", "checking")


def with_status(body: bytes, status: str) -> bytes:
    """The JSON of a response with this status in each merge request of it; anything else is left as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    for entity in value if isinstance(value, list) else [value]:
        if isinstance(entity, dict) and "detailed_merge_status" in entity and entity.get("state") == "opened":
            entity |= _unfinished(entity, status)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _unfinished(entity: dict[str, Any], status: str) -> dict[str, Any]:
    changed: dict[str, Any] = {"detailed_merge_status": status, "merge_status": status, "has_conflicts": False}
    if status == "preparing":
        # The diff of a merge request that is being prepared does not exist yet.
        unknown = ("prepared_at", "diff_refs", "changes_count", "head_pipeline", "pipeline")
        changed |= {name: None for name in unknown if name in entity}
    return changed
