"""The proof that each mention has one pipeline and one answer under load, with GitLab failing and the listener killed.

scripts/mention-load runs it. Of the comments one in ten is a mention. The hooks of the project and of its group deliver
each of them, and one delivery in eleven comes a second time. A fifth of the listener's requests to GitLab fail, before
or after they took effect. The listener is killed with SIGKILL. A delivery that got no 200 is sent again, as a person
does with GitLab's button: GitLab itself sends it once.
"""

import argparse
import json
import multiprocessing
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.tracking_note import NotePlace, TrackingNote, handed_in
from gitlab_mcp.safety.marker import marker_of
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state import runner
from tests.proofs.fault_proxy import FAULTS, FaultProxy, fault_proxy, faults_met
from tests.support.gitlab_requests import send
from tests.support.listener import (
    GROUP_SIGNING_TOKEN,
    SIGNING_TOKEN,
    Listener,
    configure_ci,
    environ_of,
    listening,
    new_trigger_token,
    signed,
    write_config,
)
from tests.support.seed import SeededItem
from tests.support.settings import settings_for
from tests.support.webhooks import note_hook

ISSUES = 10
SENDERS = 64
FAILING = 0.2  # of the listener's requests
AGAIN_SECONDS = 0.25  # until a delivery that was not accepted is sent again
FIRST_OTHER_NOTE = 10_000_000  # ids of comments that mention nobody
WAITS = threading.Event()  # which is never set


class RandomFaults(list[str]):
    """Faults without end: a fifth of the requests meet one of them."""

    def __init__(self, seed: int, faults: Sequence[str]) -> None:
        super().__init__()
        self._random, self._faults = random.Random(seed), faults  # noqa: S311  # the same faults for the same seed

    def __bool__(self) -> bool:
        return True

    def pop(self, _index: Any = -1) -> str:
        """The fault of the next request, or ""."""
        return self._random.choice(self._faults) if self._random.random() < FAILING else ""


@dataclass(frozen=True)
class Delivery:
    """A delivery, the second at which it is sent, and the token of the hook that signs it."""

    at: float
    body: bytes
    token: str


@dataclass
class LoadOutcome:
    """What came of a load: seconds until a delivery was answered, and what is wrong."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    mentions: int = 0
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """The time within which this share of the deliveries was answered, in milliseconds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))] * 1000


def planned(mentions: Sequence[Any], deliveries: int, rate: float, seed: int) -> list[Delivery]:
    """The deliveries of the mentions' payloads, and of nine times as many comments that mention nobody."""
    chosen = random.Random(seed)  # noqa: S311  # the same plan for the same seed
    payloads = list(mentions)
    for number in range(9 * len(mentions)):
        payload = json.loads(json.dumps(mentions[number % len(mentions)]))
        payload["object_attributes"] |= {"id": FIRST_OTHER_NOTE + number, "note": f"Comment {number} asks for nothing."}
        payloads.append(payload)
    bodies = [json.dumps(payload).encode() for payload in payloads]
    pairs = [(body, token) for body in bodies for token in (SIGNING_TOKEN, GROUP_SIGNING_TOKEN)]
    pairs += chosen.choices(pairs, k=max(0, deliveries - len(pairs)))
    chosen.shuffle(pairs)
    return [Delivery(number / rate, *pair) for number, pair in enumerate(pairs)]


def send_all(port: int, plan: Sequence[Delivery]) -> tuple[list[float], int]:
    """Send the deliveries at their times; the seconds until each 200, and how often there was none."""
    began, refused = time.monotonic(), Counter[str]()

    def deliver(delivery: Delivery) -> float:
        WAITS.wait(max(0.0, began + delivery.at - time.monotonic()))
        while True:
            headers = signed(delivery.body, delivery.token)
            request = urllib.request.Request(f"http://127.0.0.1:{port}/webhook", delivery.body, headers)
            sent = time.monotonic()
            try:
                with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # the listener's
                    response.read()
                return time.monotonic() - sent
            except (OSError, urllib.error.HTTPError):
                refused["deliveries"] += 1
            WAITS.wait(AGAIN_SECONDS)

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(deliver, plan)), refused["deliveries"]


def written(sandbox: Sandbox, number: int) -> list[tuple[SeededItem, Any]]:
    """Write comments that mention the handle, on ten issues; each with its issue, and the payloads."""
    issues = [SeededItem(send(sandbox, "POST", "/issues", title=f"Issue {one}")["iid"]) for one in range(ISSUES)]
    found = []
    for index in range(number):
        item = issues[index % ISSUES]
        note = send(sandbox, "POST", f"{item.path}/notes", body=f"@claude do part {index}")
        found.append((item, note_hook(sandbox, note, item)))
    return found


def run_jobs(sandbox: Sandbox) -> None:
    """Take every job that waits: half of them run, and answer in the note; the others end without."""
    project = sandbox.world.projects[sandbox.project_id]
    gitlab = GitLab(settings_for(sandbox, "maintainer"))
    while taken := runner.take(sandbox.world, [project]):
        job = taken[0]
        values = {row["key"]: row["value"] for row in job.pipeline.variables}
        note = int(values["GITLAB_MCP_NOTE"])
        if note % 2:
            path = f"/projects/{project.id}/issues/{values['GITLAB_MCP_ISSUE']}"
            place = NotePlace(path, values["AI_FLOW_DISCUSSION_ID"], note)
            with limited(60):
                given = handed_in(gitlab, place, int(values["GITLAB_MCP_TRACKING_NOTE"]), str(job.id))
                TrackingNote(gitlab, place, str(job.id), given.note).write("Done.", ended=True)
        runner.finish(sandbox.world, job, "success" if note % 2 else "failed")


def faults_of(sandbox: Sandbox, mentions: Sequence[tuple[SeededItem, Any]]) -> list[str]:
    """What is wrong with the mentions, once all is done: each must have one pipeline, one answer, and eyes."""
    project = sandbox.world.projects[sandbox.project_id]
    started = Counter(
        row["value"] for one in project.pipelines.values() for row in one.variables if row["key"] == "GITLAB_MCP_NOTE"
    )
    wrong = []
    for item, payload in mentions:
        note = payload["object_attributes"]
        thread = [one for one in project.issues[item.iid].notes if one.discussion_id == note["discussion_id"]]
        markers = [marker_of(one.body) for one in thread if one.id != note["id"]]
        reactions = next(one.award_emoji for one in thread if one.id == note["id"])
        found = (
            f"{started[str(note['id'])]} pipelines",
            f"{len(markers)} answers",
            f"{sum(marker is not None and not marker.ended for marker in markers)} open",
            f"{len(reactions)} reactions",
        )
        if found != ("1 pipelines", "1 answers", "0 open", "1 reactions"):
            wrong.append(f"comment {note['id']}: {', '.join(found)}")
    return wrong


def prove(deliveries: int, rate: float, kills: int, seed: int, show: Callable[[str], None]) -> LoadOutcome:
    """Put the load on a listener and kill it; what came of it."""
    number = max(1, deliveries // 22)
    with Sandbox() as sandbox, fault_proxy(sandbox.url) as proxy, tempfile.TemporaryDirectory() as folder:
        configure_ci(sandbox)
        mentions = written(sandbox, number)
        plan = planned([payload for _, payload in mentions], deliveries, rate, seed)
        environ = environ_of(sandbox, new_trigger_token(sandbox))
        config = write_config(
            Path(folder),
            sandbox,
            '[[groups]]\npath = "acme"\nsigning_token_env = "GROUP_SIGNING_TOKEN"\n',
            project="hourly_per_person = 100000\nhourly_per_project = 100000",
            service="",
        )
        port = _free_port()
        text = config.read_text().replace(sandbox.url, proxy.url).replace("port = 0", f"port = {port}")
        config.write_text(text.replace("poll_seconds = 0.1", "poll_seconds = 2.0"))
        with listening(config, environ) as listener:
            proxy.writes = RandomFaults(seed, [name for name in FAULTS if name not in ("slow", "late")])
            proxy.reads = RandomFaults(seed + 1, ("before", "after", "502 before", "503 before"))
            outcome = _under_load(listener, plan, kills, rate)
            show(f"{len(plan)} deliveries of {number * 10} comments accepted, {outcome.refused} sent again")
            numbers = listener.numbers()
            for one in numbers:
                listener.reached_one_of(("running", "failed", "ignored"), one)
            run_jobs(sandbox)
            for one in numbers:
                listener.reached_one_of(("done", "failed", "ignored"), one)
            _clear(proxy)
            states = Counter(row[0] for row in listener.rows())
        outcome.mentions, outcome.wrong = number, faults_of(sandbox, mentions)
    met = Counter(name for name in proxy.met if name)
    show(f"{faults_met(met)}; mentions: {dict(states)}")
    return outcome


def _under_load(listener: Listener, plan: Sequence[Delivery], kills: int, rate: float) -> LoadOutcome:
    """Send the plan from another process, and kill the listener at even intervals while it does."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        sending: Future[tuple[list[float], int]] = pool.submit(send_all, listener.port, plan)
        for _ in range(kills):
            WAITS.wait(len(plan) / rate / (kills + 1))
            listener.end(signal.SIGKILL)
            listener.start()
        seconds, refused = sending.result()
    return LoadOutcome(seconds, refused)


def _clear(proxy: FaultProxy) -> None:
    proxy.writes, proxy.reads = [], []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=200.0, help="deliveries a second")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    outcome = prove(given.deliveries, given.rate, given.kills, given.seed, partial(print, flush=True))
    for fault in outcome.wrong:
        sys.stdout.write(f"WRONG: {fault}\n")
    times = ", ".join(f"p{share * 100:.0f} {outcome.percentile(share):.0f} ms" for share in (0.5, 0.95, 0.99, 1.0))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{outcome.mentions} mentions in {seconds:.0f} s, {len(outcome.wrong)} wrong; answers: {times}\n")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
