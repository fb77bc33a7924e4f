"""The proof that a run has one tracking note, with its last text: many seeded runs with faults in the note's way.

scripts/note-faults runs it; `--runs N` says how many, `--seed S` where to begin.
"""

import argparse
import collections
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.note_updates import NoteUpdates
from gitlab_mcp.api.tracking_note import NotePlace, TrackingNote, close_left_open, handed_in
from gitlab_mcp.errors import Failure
from gitlab_mcp.safety.marker import MarkedText, Marker, marker_of, unmarked
from gitlab_mcp.sandbox import Sandbox
from tests.proofs.fault_proxy import FAULTS, FaultProxy, fault_proxy, faults_met, in_batches
from tests.support.gitlab_requests import send
from tests.support.seed import SEED
from tests.support.settings import settings_for
from tests.support.tracking_notes import answers, asked

RUNS_OF_A_SANDBOX = 25
STEPS = ("working", "read #7", "changed 3 files")
ENDINGS = ("finished", "killed", "handed in")
SECONDS = 120.0  # in which GitLab is back


@dataclass
class Outcome:
    """How a run went: how it ended, how many notes there are, and what the last of them says."""

    seed: int
    ending: str
    notes: int
    text: str
    ended: bool

    def fault(self) -> str:
        """What is wrong with it; "" when it is right."""
        if self.notes > 1:
            return "two notes"
        if self.notes == 0:
            return "no note"
        return "" if self.ended and self.text.startswith("Done") else "not closed"


def plan(seed: int) -> tuple[str, list[str], list[str]]:
    """How a run ends, and the faults: one to six on its writes, none to six on the reads in between."""
    chosen = random.Random(seed)  # noqa: S311  # the same run again for the same seed
    writes = [chosen.choice(("", *FAULTS)) for _ in range(chosen.randint(1, 6))]
    reads = [chosen.choice(("", "before", "after", "502 before", "429")) for _ in range(chosen.choice((0, 1, 2, 6)))]
    return chosen.choice(ENDINGS), writes, reads


def one(sandbox: Sandbox, proxy: FaultProxy, gitlab: Callable[[], GitLab], seed: int) -> Outcome:
    """One run; what came of it is looked at past the proxy."""
    place, run = asked(sandbox, SEED.crash_issue, f"@claude run {seed}"), str(seed)
    ending, writes, reads = plan(seed)
    number = _waiting(sandbox, place) if ending == "handed in" else 0
    proxy.writes, proxy.reads = writes, reads
    if ending == "killed":
        _write_steps(gitlab(), place, run)
        close_left_open(gitlab(), place, run, lambda text: f"Done: {text}", seconds=SECONDS)
    else:
        client = gitlab()
        taken = handed_in(client, place, number, run).note if number else None
        updates = NoteUpdates(TrackingNote(client, place, run, taken), lambda _line: None, seconds=0)
        for step in STEPS:
            updates.show(step)
        updates.finish("Done", seconds=SECONDS)
    proxy.writes, proxy.reads = [], []
    proxy.deliver()
    notes = answers(sandbox, place)
    body = notes[-1]["body"] if notes else ""
    marker = marker_of(body)
    return Outcome(seed, ending, len(notes), unmarked(body), bool(marker and marker.ended))


def _waiting(sandbox: Sandbox, place: NotePlace) -> int:
    """The note of a listener; its id."""
    body = str(MarkedText(Marker(mention=place.mention), "Waiting for a runner."))
    number: int = send(sandbox, "POST", f"{SEED.crash_issue.path}/discussions/{place.thread}/notes", body=body)["id"]
    return number


def _write_steps(gitlab: GitLab, place: NotePlace, run: str) -> None:
    """Write the steps of a run that is killed before its end."""
    note = TrackingNote(gitlab, place, run)
    for step in STEPS:
        with suppress(Failure):
            note.write(step)


def prove(runs: int, first_seed: int, show: Callable[[str], None]) -> list[tuple[str, Outcome]]:
    """Make the runs, telling `show` how far they are; the outcomes that are wrong, with what is wrong about them."""
    wrong: list[tuple[str, Outcome]] = []
    endings: collections.Counter[str] = collections.Counter()
    met: collections.Counter[str] = collections.Counter()
    for seeds in in_batches(first_seed, runs, RUNS_OF_A_SANDBOX):
        with Sandbox() as sandbox, fault_proxy(sandbox.url) as proxy:
            settings = replace(settings_for(sandbox, "developer"), url=proxy.url)
            for seed in seeds:
                outcome = one(sandbox, proxy, partial(GitLab, settings), seed)
                endings[f"{outcome.ending}, {outcome.notes} note"] += 1
                if fault := outcome.fault():
                    wrong.append((fault, outcome))
            met.update(fault for fault in proxy.met if fault)
        show(f"{seeds[-1] + 1 - first_seed} of {runs} runs, {len(wrong)} wrong")
    show(faults_met(met))
    show("; ".join(f"{name}: {number}" for name, number in sorted(endings.items())))
    return wrong


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    wrong = prove(given.runs, given.seed, partial(print, flush=True))
    for fault, outcome in wrong:
        sys.stdout.write(f"WRONG: {fault}: {outcome}\n")
    counts = ", ".join(
        f"{sum(fault == kind for fault, _ in wrong)} {kind}" for kind in ("two notes", "no note", "not closed")
    )
    sys.stdout.write(f"{given.runs} runs in {time.monotonic() - began:.0f} s: {counts}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
