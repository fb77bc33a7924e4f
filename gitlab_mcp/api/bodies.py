"""What GitLab's answers hold."""

import json
from collections.abc import Iterator
from contextlib import closing

import requests

from gitlab_mcp.api.refusals import unreachable
from gitlab_mcp.api.session import CHUNK_BYTES, BodyTooLarge

PARTS = 300_000  # commas and brackets in an answer: each can become an object of a hundred bytes


def parsed(response: requests.Response, method: str, path: str) -> object:
    """The JSON of an answer to `method` at `path`, None where it has no body. Raises Unreachable where it is none."""
    if response.status_code == 204 or not response.content:
        return None
    body = response.content
    if sum(map(body.count, (b",", b"[", b"{"))) > PARTS:
        raise unreachable(method, BodyTooLarge("the answer has too many parts"), path)
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        raise unreachable(method, error, path, found=f"{kind}, {len(response.content)} bytes") from error
    return found


def pieces(response: requests.Response) -> Iterator[bytes]:
    """The body of a streamed answer, which is closed at its end."""
    with closing(response):
        yield from response.iter_content(CHUNK_BYTES)
