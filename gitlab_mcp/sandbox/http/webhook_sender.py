"""Sending webhooks, behind the response that caused them and on threads that end with the sandbox (WebHookService).

As in GitLab nothing is delivered again by itself, whatever the receiver answers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit
from uuid import uuid4

from gitlab_mcp.sandbox.state.webhooks import Attempt, Delivery, Webhook
from gitlab_mcp.sandbox.state.world import World

_THREADS = 4
_RESPONSE_BODY = 8 * 1024  # WebHookService::RESPONSE_BODY_SIZE_LIMIT
_NO_RESPONSE = "internal error"


class WebhookSender:
    """Sends the webhooks of one sandbox; `timeout` is how long it waits for a receiver, in seconds.

    `Gitlab.config.gitlab.webhook_timeout` is 10 by default.
    """

    def __init__(self, world: World, timeout: float) -> None:
        self.world = world
        self.timeout = timeout
        self._due: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._connections: set[HTTPConnection] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def enqueue(self, deliveries: Iterable[Delivery]) -> None:
        """Send these as soon as a thread is free; the threads start with the first."""
        for delivery in deliveries:
            with self._lock:
                if self._closed:
                    return
                if len(self._threads) < _THREADS:
                    thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
                    self._threads.append(thread)
                    thread.start()
            self._due.put(delivery)

    def close(self) -> None:
        """End the threads; a request that waits for its receiver is given up."""
        with self._lock:
            self._closed = True
            waiting = list(self._connections)
        for connection in waiting:
            with suppress(OSError, AttributeError):  # it is not connected yet, or no longer
                connection.sock.shutdown(socket.SHUT_RDWR)
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (delivery := self._due.get()) is not None and not self._closed:
            if delivery.webhook.alert_status(self.world.now()) == "executable":
                self.send(delivery)

    def send(self, delivery: Delivery) -> Attempt:
        """Send one now, also where its webhook is disabled; records the attempt and what it says of the receiver."""
        body = json.dumps(delivery.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        webhook, start = delivery.webhook, time.monotonic()
        headers = self._headers(delivery, body)
        status, response_headers, response_body = _NO_RESPONSE, {}, ""
        connection = self._connect(webhook)
        try:
            with self._lock:
                self._connections.add(connection)
            parts = urlsplit(webhook.url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {**webhook.custom_headers, **headers})
            response = connection.getresponse()
            response_body = response.read(_RESPONSE_BODY).decode("utf-8", "replace")
            status, response_headers = str(response.status), dict(response.getheaders())
        except (OSError, HTTPException, ValueError):
            pass  # GitLab logs it: the receiver is not there, took too long, or speaks no HTTP
        finally:
            connection.close()
            with self._lock:
                self._connections.discard(connection)
        shown = {**headers, "X-Gitlab-Token": "[REDACTED]"} if webhook.token else headers
        attempt = Attempt(
            self.world.next_id("webhook_event"),
            delivery,
            shown,
            status,
            response_headers,
            response_body,
            time.monotonic() - start,
            self.world.now(),
        )
        webhook.attempts.append(attempt)
        if attempt.ok:
            webhook.succeeded()
        else:
            webhook.failed(self.world.now())
        return attempt

    def _connect(self, webhook: Webhook) -> HTTPConnection:
        parts = urlsplit(webhook.url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            return HTTPConnection(host, parts.port, timeout=self.timeout)
        context = ssl.create_default_context()
        if not webhook.enable_ssl_verification:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return HTTPSConnection(host, parts.port, timeout=self.timeout, context=context)

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        """WebHookService#build_headers, with those of Standard Webhooks, which GitLab sends since 19.0."""
        webhook = delivery.webhook
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"GitLab/{self.world.version}",
            "Idempotency-Key": delivery.key,
            "X-Gitlab-Event": delivery.trigger.removesuffix("s").replace("_", " ").title(),
            "X-Gitlab-Webhook-UUID": str(uuid4()),
            "X-Gitlab-Instance": self.world.url,
            "X-Gitlab-Event-UUID": delivery.cause,
            "webhook-id": delivery.key,
            "webhook-timestamp": timestamp,
        }
        if webhook.token:
            headers["X-Gitlab-Token"] = webhook.token
        if webhook.signing_token:
            headers["webhook-signature"] = signature(webhook.signing_token, delivery.key, timestamp, body)
        return headers


def signature(signing_token: str, identity: str, timestamp: str, body: bytes) -> str:
    """The value of webhook-signature: HMAC-SHA256 over id, timestamp and body, as Standard Webhooks defines it."""
    key = base64.b64decode(signing_token.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
