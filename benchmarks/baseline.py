"""The same requests without a server: over one keep-alive connection of http.client, and over python-gitlab."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import gitlab

from benchmarks.answers import PROJECT
from benchmarks.stub import Request, Stub

BARE, PYTHON_GITLAB = "http.client", "python-gitlab"
AT_ONCE = 16


class Baseline:
    """Both ways to send the requests of a task. As a context manager it closes what it opened."""

    def __init__(self, stub: Stub) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=60)
        self._gitlab = gitlab.Gitlab(stub.url, private_token=stub.token)
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._headers = {"PRIVATE-TOKEN": stub.token, "Content-Type": "application/json"}

    def __enter__(self) -> Baseline:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        self._connection.close()

    def bare(self, requests: Sequence[Request]) -> int:
        """Send requests one after the other and parse the answers; returns their bytes."""
        size = 0
        for request in requests:
            address = f"/api/v4{_path(request)}?{urlencode(request.query)}"
            self._connection.request(request.method, address, request.body or None, self._headers)
            content = self._connection.getresponse().read()
            json.loads(content)
            size += len(content)
        return size

    def python_gitlab(self, requests: Sequence[Request]) -> None:
        """Send requests as an application would: those of a task that only reads in parallel, others in their order."""
        if len(requests) > 1 and all(request.method == "GET" for request in requests):
            list(self._threads.map(self._send, requests))
        else:
            for request in requests:
                self._send(request)

    def python_gitlab_in_threads(self, requests: Sequence[Request]) -> None:
        """Send requests by 16 threads."""
        list(self._threads.map(self._send, requests))

    def _send(self, request: Request) -> Any:
        body = json.loads(request.body) if request.body else None
        try:
            answer = self._gitlab.http_request(
                request.method.lower(), _path(request), query_data=request.query, post_data=body
            )
        except gitlab.GitlabHttpError as error:
            if error.response_code != request.status:
                raise
            return None
        return answer.json()


def _path(request: Request) -> str:
    return request.path.replace(":id", quote(PROJECT, safe=""))
