"""A candidate as the store keeps it: JSON, which a listener of a later version can read too."""

import json
from dataclasses import asdict, fields
from typing import Any, TypeVar

from gitlab_mcp.mentions.events import EventProject, Person, Subject
from gitlab_mcp.mentions.screening import Candidate
from gitlab_mcp.safety.mention import CommentRequest

D = TypeVar("D")


def dump_candidate(candidate: Candidate) -> bytes:
    """The candidate as JSON. Unpaired surrogates, which JSON from GitLab can name, stay as they are."""
    return json.dumps(asdict(candidate)).encode()


def load_candidate(stored: bytes) -> Candidate:
    """The candidate that `dump_candidate` wrote; fields that this version does not know are left out."""
    values = json.loads(stored)
    values |= {
        "project": _loaded(EventProject, values["project"]),
        "subject": _loaded(Subject, {**values["subject"], "labels": tuple(values["subject"]["labels"])}),
        "person": _loaded(Person, values["person"]),
        "comment": _loaded(CommentRequest, values["comment"]) if values["comment"] else None,
    }
    return _loaded(Candidate, values)


def _loaded(kind: type[D], values: dict[str, Any]) -> D:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # each kind is a dataclass
    return kind(**{name: value for name, value in values.items() if name in known})
