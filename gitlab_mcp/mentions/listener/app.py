"""The HTTP application: webhooks in, health and metrics out.

GitLab gives up on a delivery after ten seconds, sends it only once, and disables a hook after four failures in a row:
https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks. So a delivery that is authentic is
answered with 200 also where nothing is to be done, and everything that takes time happens after the answer.
"""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gitlab_mcp.mentions.decision import Ignore
from gitlab_mcp.mentions.events import read_event
from gitlab_mcp.mentions.listener.config import ListenerConfig, Target
from gitlab_mcp.mentions.listener.signature import has_secret_token, has_signature_of, is_signed
from gitlab_mcp.mentions.listener.store import StoreFailed
from gitlab_mcp.mentions.listener.stored_candidate import dump_candidate
from gitlab_mcp.mentions.listener.table import NewMention
from gitlab_mcp.mentions.listener.work import Service, logger
from gitlab_mcp.mentions.listener.worker import Workers
from gitlab_mcp.mentions.screening import screen

# GitLab sends no larger one (WebHookService::REQUEST_BODY_SIZE_LIMIT, 25 MB). With a lower limit, whoever may write a
# long comment could have the hook disabled.
LONGEST_BODY = 25 * 1024 * 1024
MOST_BYTES = 8 * LONGEST_BODY  # of all bodies that are being read at a time
READ_SECONDS = 10.0
ANSWER_SECONDS = 0.9
CHECKING_THREADS = 4
# One request a connection: GitLab opens one for each delivery, and a connection has a time limit as a whole.
CLOSE = {"connection": "close"}


class Refusal(Exception):
    """A delivery that is answered with an HTTP error; `result` is its label among the metrics."""

    def __init__(self, status: int, result: str, text: str) -> None:
        super().__init__(text)
        self.status, self.result, self.text = status, result, text


@dataclass(frozen=True)
class Delivered:
    """What a delivery that is authentic says: a mention, or why there is none."""

    mention: NewMention | None
    reason: str = ""


class ListenerApp:
    """The routes: POST /webhook, GET /healthz, /readyz and /metrics."""

    def __init__(self, service: Service, workers: Workers, config: Callable[[], ListenerConfig]) -> None:
        self._service, self._workers, self._config = service, workers, config
        self._bytes = 0  # of the bodies that are being read
        self._threads = ThreadPoolExecutor(CHECKING_THREADS, thread_name_prefix="delivery")
        self.starlette = Starlette(
            routes=[
                Route("/webhook", self._webhook, methods=["POST"]),
                Route("/healthz", self._health),
                Route("/readyz", self._readiness),
                Route("/metrics", self._metrics),
            ]
        )

    async def _webhook(self, request: Request) -> Response:
        began = time.monotonic()
        try:
            body = await self._body(request)
            began = time.monotonic()  # not how long the sender took
            result, reason = await asyncio.wait_for(self._take(body, dict(request.headers)), ANSWER_SECONDS)
            response: Response = JSONResponse({"result": result, "reason": reason}, headers=CLOSE)
        except ClientDisconnect:
            result, response = "disconnected", PlainTextResponse("", 400, CLOSE)
        except Refusal as refusal:
            result, reason = refusal.result, refusal.text
            response = JSONResponse({"result": result, "reason": reason}, refusal.status, CLOSE)
            logger.warning("delivery refused", extra={"fields": {"result": result, "status": refusal.status}})
        except (TimeoutError, StoreFailed) as error:
            result = "unavailable"
            response = JSONResponse({"result": result, "reason": "Try again."}, 503, CLOSE)
            logger.error("delivery not stored", extra={"fields": {"class": type(error).__name__}})
        self._service.metrics.deliveries.labels(result).inc()
        self._service.metrics.answer_seconds.observe(time.monotonic() - began)
        return response

    async def _body(self, request: Request) -> bytes:
        """The body of a request. Raises Refusal where it is too long, or the sender too slow."""
        length = request.headers.get("content-length", "0")
        too_long = Refusal(413, "too_large", f"The body has more than {LONGEST_BODY} bytes.")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise too_long
        chunks, size = [], 0
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for chunk in request.stream():
                    size, self._bytes = size + len(chunk), self._bytes + len(chunk)
                    if size > LONGEST_BODY:
                        raise too_long
                    if self._bytes > MOST_BYTES:
                        raise Refusal(503, "unavailable", "Too many large deliveries at a time: try again.")
                    chunks.append(chunk)
        except TimeoutError:
            raise Refusal(408, "too_slow", f"The body did not arrive within {READ_SECONDS:.0f} s.") from None
        finally:
            self._bytes -= size
        return b"".join(chunks)

    async def _take(self, body: bytes, headers: dict[str, str]) -> tuple[str, str]:
        """Check a delivery and store its mention; the result and the reason. Raises Refusal and StoreFailed."""
        loop = asyncio.get_running_loop()
        delivered = await loop.run_in_executor(self._threads, self._check, body, headers)
        if delivered.mention is None:
            return "ignored", delivered.reason
        is_new = await asyncio.wrap_future(self._service.store.add(delivered.mention))
        if is_new:
            self._workers.wake()
        return ("stored", "") if is_new else ("known", "This event has been delivered before.")

    def _check(self, body: bytes, headers: dict[str, str]) -> Delivered:
        """What a delivery says. Raises Refusal where it is not authentic, or not JSON."""
        config = self._config()
        senders = authentic_senders(config, body, headers)
        if not senders:
            raise Refusal(401, "not_authentic", "The signature or the secret token is missing, wrong or too old.")
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise Refusal(400, "not_json", "The body is not valid JSON.") from None
        event = read_event(payload)
        if isinstance(event, Ignore):
            return Delivered(None, event.reason)
        path = event.project.path
        if not path or not event.project.id:
            return Delivered(None, "The payload does not name its project.")
        target = config.target(path)
        if target and not any(sender.covers(path) for sender in senders):
            raise Refusal(401, "not_authentic", "The hook with this token is not one of the payload's project.")
        settings = target.settings_with(self._service.clients.known_users(target)) if target else None
        candidate = screen(event, settings)
        if isinstance(candidate, Ignore):
            return Delivered(None, candidate.reason)
        project = candidate.project
        mention = NewMention(
            key=f"{config.url} {project.id} {candidate.unit}",
            project_id=project.id,
            project=path,
            person=candidate.person.id,
            thread=candidate.thread,
            subject=candidate.subject.noteable,
            payload=dump_candidate(candidate),
        )
        return Delivered(mention)

    async def _health(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=CLOSE)

    async def _readiness(self, _request: Request) -> Response:
        """Whether a delivery could be stored now, and would be worked on."""
        problem = "" if self._workers.alive else "The listener is ending."
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._service.store.check()), ANSWER_SECONDS)
        except (TimeoutError, StoreFailed):
            problem = "The database cannot be written."
        return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200, CLOSE)

    async def _metrics(self, _request: Request) -> Response:
        by_state = await asyncio.to_thread(self._service.store.by_state)
        text = self._service.metrics.text(by_state)
        return Response(text, headers=CLOSE, media_type="text/plain; version=0.0.4; charset=utf-8")


def authentic_senders(config: ListenerConfig, body: bytes, headers: dict[str, str]) -> list[Target]:
    """The projects and groups of the configuration whose hook sent a delivery.

    A hook with a signing token signs each delivery, so that none without a signature is accepted for it, whatever else
    it says. A signature that is wrong is never made up for by the secret token.
    """
    if is_signed(headers):
        tokens = {target.signing_token for target in config.targets if target.signing_token}
        valid = {token for token in tokens if has_signature_of(token, body, headers)}
        return [target for target in config.targets if target.signing_token in valid]
    unsigned = [target for target in config.targets if not target.signing_token]
    return [target for target in unsigned if has_secret_token(target.secret_token, headers)]
