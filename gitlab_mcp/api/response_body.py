"""The body of a response: JSON, and streams such as job logs."""

import json
import re
from collections.abc import Iterator

from gitlab_mcp.api.error_mapping import unreachable
from gitlab_mcp.api.http import CHUNK_BYTES, BodyTooLarge, HTTPResponse

# Commas and brackets outside the strings of a response: each can become a Python object of a hundred bytes.
MAX_JSON_VALUES = 300_000
JSON_DELIMITERS = (b",", b"[", b"{")
# The closing quote is optional, so that an unclosed string is scanned only once.
JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def parsed(response: HTTPResponse, method: str, path: str) -> object:
    """The JSON body of a response to `method` at `path`; None for an empty body. Raises AnswerLost for invalid JSON."""
    if response.status_code == 204 or not response.content:
        return None
    body = response.content
    if _delimiters(body) > MAX_JSON_VALUES and _delimiters(JSON_STRING.sub(b"", body)) > MAX_JSON_VALUES:
        raise unreachable(method, BodyTooLarge("the response has too many JSON values"), path)
    try:
        data: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        raise unreachable(method, error, path, unexpected=f"{kind}, {len(response.content)} bytes") from error
    return data


def _delimiters(body: bytes) -> int:
    return sum(map(body.count, JSON_DELIMITERS))


def pieces(response: HTTPResponse) -> Iterator[bytes]:
    """The body of a streamed response in chunks; it is closed at its end, and when the iterator is deleted."""
    chunks = _pieces(response)
    next(chunks)  # a generator that has started closes the response, even if no further chunk is read
    return chunks


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    with response.body as body:
        yield b""
        while chunk := body.read(CHUNK_BYTES):
            yield chunk
