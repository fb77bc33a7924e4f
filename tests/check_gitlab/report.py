"""What became of each fact, and how it is printed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.git.process import GitError
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line
from tests.check_gitlab.facts import FACTS, Fact, Mode

HELD = "held"
DID_NOT_HOLD = "did not hold"
NOT_TRIED = "could not be tried"

CHARACTERS = 200
ELSEWHERE = {"local": "needs an access token", "job": "needs a CI job"}


class NotTried(Exception):
    """A fact could not be tried; the text says why."""


@dataclass(frozen=True)
class Verdict:
    """What became of a fact: held, did not hold or could not be tried, and what was seen."""

    word: str
    seen: str

    def __str__(self) -> str:
        return f"{self.word}: {self.seen}" if self.seen else self.word


class Report:
    """The verdicts of one run. Nothing in it holds one of `secrets`, and what GitLab said is on one short line."""

    def __init__(self, mode: Mode, heading: str, secrets: tuple[str, ...]) -> None:
        self.mode = mode
        self._heading = heading
        self._secrets = secrets
        self._verdicts: dict[str, Verdict] = {}
        self._remarks: list[str] = []

    def held(self, fact: Fact, seen: str = "") -> None:
        """The fact holds here."""
        self._set(fact, HELD, seen)

    def did_not_hold(self, fact: Fact, seen: str) -> None:
        """The fact does not hold here."""
        self._set(fact, DID_NOT_HOLD, seen or "nothing was seen")

    def not_tried(self, fact: Fact, why: str) -> None:
        """The fact could not be tried."""
        self._set(fact, NOT_TRIED, why)

    def judge(self, fact: Fact, holds: bool, seen: str, *, quoted: bool = False) -> None:
        """The fact holds or does not; `seen` is told where it does not, and with `quoted` where it does too."""
        if holds:
            self.held(fact, seen if quoted else "")
        else:
            self.did_not_hold(fact, seen)

    def remark(self, text: str) -> None:
        """Something to tell at the end that is no fact."""
        self._remarks.append(self._short(text))

    @contextmanager
    def trying(self, *facts: Fact) -> Iterator[None]:
        """A step that tries `facts`; where it cannot go on, those without a verdict could not be tried."""
        why = "the step before it did not get there"
        try:
            yield
        except NotTried as stopped:
            why = str(stopped)
        except requests.RequestException as error:
            why = f"no answer came ({type(error).__name__})"
        except (GitError, SettingsError) as error:
            why = str(error)
        for fact in facts:
            if fact.id not in self._verdicts:
                self.not_tried(fact, why)

    def _set(self, fact: Fact, word: str, seen: str) -> None:
        if fact.id in self._verdicts and self._verdicts[fact.id].word == DID_NOT_HOLD:
            return  # what did not hold once does not hold
        self._verdicts[fact.id] = Verdict(word, self._short(seen))

    def _short(self, text: str) -> str:
        return one_line(redact(text, self._secrets), CHARACTERS)

    def _verdict(self, fact: Fact) -> Verdict:
        if fact.mode != self.mode:
            return Verdict(NOT_TRIED, ELSEWHERE[fact.mode])
        return self._verdicts.get(fact.id, Verdict(NOT_TRIED, "nothing tried it"))

    @property
    def exit_code(self) -> int:
        """1 when a fact did not hold, else 0."""
        return int(any(verdict.word == DID_NOT_HOLD for verdict in self._verdicts.values()))

    def table(self) -> str:
        """The verdicts as a table in Markdown, with what else is to be told."""
        rows = ["| | what became of it | fact | where it matters |", "|---|---|---|---|"]
        for fact in FACTS:
            cells = (fact.id, str(self._verdict(fact)), fact.sentence, fact.matters)
            rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        words = [self._verdict(fact).word for fact in FACTS]
        counts = ", ".join(f"{words.count(word)} {word}" for word in (HELD, DID_NOT_HOLD, NOT_TRIED))
        lines = [self._short(self._heading), "", *rows, "", f"{len(FACTS)} facts: {counts}.", *self._remarks]
        return "\n".join(lines)

    def as_json(self) -> str:
        """The same as JSON."""
        facts = [
            {
                "id": fact.id,
                "fact": fact.sentence,
                "verdict": self._verdict(fact).word,
                "seen": self._verdict(fact).seen,
                "mode": fact.mode,
                "source": fact.source,
                "matters": fact.matters,
            }
            for fact in FACTS
        ]
        told = {"heading": self._short(self._heading), "mode": self.mode, "facts": facts, "remarks": self._remarks}
        return json.dumps(told, indent=2, ensure_ascii=False)
