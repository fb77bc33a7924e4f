"""What GitLab's answers hold."""

import json
import re
from collections.abc import Iterator
from contextlib import closing

import requests

from gitlab_mcp.api.error_mapping import unreachable
from gitlab_mcp.api.http import CHUNK_BYTES, BodyTooLarge

PARTS = 300_000  # commas and brackets outside the texts of an answer: each can become an object of a hundred bytes
NESTING_MARKS = (b",", b"[", b"{")
TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # with or without its end, so that it is looked at once


def parsed(response: requests.Response, method: str, path: str) -> object:
    """The JSON of an answer to `method` at `path`, None where it has no body. Raises Unreachable where it is none."""
    if response.status_code == 204 or not response.content:
        return None
    body = response.content
    if _marks(body) > PARTS and _marks(TEXT.sub(b"", body)) > PARTS:
        raise unreachable(method, BodyTooLarge("the answer has too many parts"), path)
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        raise unreachable(method, error, path, found=f"{kind}, {len(response.content)} bytes") from error
    return found


def _marks(body: bytes) -> int:
    return sum(map(body.count, NESTING_MARKS))


def pieces(response: requests.Response) -> Iterator[bytes]:
    """The body of a streamed answer, which is closed at its end, or when nobody wants more of it."""
    begun = _pieces(response)
    next(begun)  # from here on it closes what it reads, also if it is never asked again
    return begun


def _pieces(response: requests.Response) -> Iterator[bytes]:
    with closing(response):
        yield b""
        yield from response.iter_content(CHUNK_BYTES)
