"""What is to be done about a candidate: a decision is a value, which the listener carries out."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ignore:
    """Nothing is done and nobody hears of it. `reason` is a sentence for the log, without text of the payload."""

    reason: str


@dataclass(frozen=True)
class Refuse:
    """No run is started, and the person gets `answer`, Markdown of one or two sentences, in the thread of the event.

    The listener records that this person was refused in this thread today: `Facts.was_refused_today`.
    """

    answer: str


@dataclass(frozen=True)
class Stop:
    """Runs are canceled, and a note says who stopped them.

    `discussion` is the thread whose runs are meant. It is "" for all runs on the issue, merge request or commit: the
    comment stands alone, in no thread of a run.
    """

    discussion: str = ""


@dataclass(frozen=True)
class Enqueue:
    """A run is started.

    `request` is what it is asked, "" where the prompt of the project's configuration counts. `follow_up` is the iid of
    our open merge request for the issue, whose branch the run goes on with; 0 for none.
    """

    request: str = field(default="", repr=False)
    follow_up: int = 0


Decision = Enqueue | Stop | Ignore | Refuse
