"""A comment that mentions the handle: what it asks for, its options, and whether it stops a run.

Both the listener and the run read a comment with this module, so that they never read it differently.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from gitlab_mcp.safety.markdown_text import mentionable, without_quotes
from gitlab_mcp.safety.sanitize import LONGEST_TEXT, with_newlines

DEFAULT_MODELS = ("haiku", "sonnet", "opus")
DEFAULT_MAX_TURNS = 60  # as in templates/claude.yml

# What a comment with nothing but the handle asks for.
BARE_REQUEST = "Do what this thread asks for."

OPTION_NAMES = ("model", "max_turns", "timeout", "max_budget")
OPTION = re.compile(r"[ \t]+([A-Za-z][A-Za-z0-9_-]{0,39})=(\S*)")
PUNCTUATION = re.compile(r"[ \t]*[,:;]?[ \t]*")
MOST_MENTIONS = 20  # that are taken out of a request
STOP = re.compile(r"\s*stop\s*[.!]?\s*", re.IGNORECASE)
WORD = re.compile(r"\w")
# What may stand between the beginning of a line and a mention that addresses the handle.
LINE_MARKS = re.compile(r"[ \t]*(?:(?:[-*+]|#{1,6}|\d{1,9}[.)])[ \t]+)?[*_~]*")


@dataclass(frozen=True)
class OptionLimits:
    """Which options a comment may set: `models` are the allowed names of models, numbers the greatest allowed value.

    `max_turns` counts turns, `timeout` minutes, `max_budget` US dollars. The option may not be set where there are no
    models, or the number is 0.
    """

    models: tuple[str, ...] = DEFAULT_MODELS
    max_turns: int = DEFAULT_MAX_TURNS
    timeout: int = 0
    max_budget: float = 0


@dataclass(frozen=True)
class CommentRequest:
    """What a comment that mentions the handle says.

    `request` is its text without the handle and the options; where nothing is left, it is BARE_REQUEST. `options` are
    the values as the comment has them, such as {"model": "opus", "max_turns": "20"}: only names of the allow-list with
    values within the limits. `problem` is a sentence for the author about options that are not allowed, "" for none;
    then `options` is empty and no run is to be started. `is_stop` is whether the comment asks to stop the run.
    """

    request: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    is_stop: bool = False


def read_comment(text: str, handle: str, limits: OptionLimits) -> CommentRequest | None:
    """Return what a comment asks of `handle` (without its @), None where it does not mention it.

    A mention counts where GitLab shows it as text: not in code, quotes, HTML comments, links and e-mail addresses, nor
    as a part of a longer name or before 's. Several mentions are one. Options stand right after the first mention, on
    its line; a word there that only looks like an option is a problem. A mention that begins after LONGEST_TEXT
    characters is not found.
    """
    pattern = _mention(handle)
    if not pattern.search(text, 0, LONGEST_TEXT):  # few comments need the parser
        return None
    text = with_newlines(text[:LONGEST_TEXT])
    shown = mentionable(text)
    mentions = list(islice(pattern.finditer(shown), MOST_MENTIONS))
    if not mentions:
        return None
    options, problem, end = _options(shown, mentions[0].end("mention"), limits)
    ends = [end, *(match.end("mention") for match in mentions[1:])]
    removed = [_removed(text, match.start("mention"), end) for match, end in zip(mentions, ends, strict=True)]
    request = _without(text, removed)
    asked = without_quotes(_without(shown, removed))
    return CommentRequest(
        request=request if WORD.search(request) else BARE_REQUEST,
        options={} if problem else options,
        problem=problem,
        is_stop=not options and not problem and bool(STOP.fullmatch(asked)),
    )


@functools.lru_cache(maxsize=64)
def _mention(handle: str) -> re.Pattern[str]:
    """The handle as a word of its own.

    A username begins after a character that is not of a word, and goes on over letters, digits, dashes and underscores,
    over dots and slashes that are followed by more of it: User.reference_pattern in app/models/user.rb, and
    lib/gitlab/path_regex.rb. Underscores around it are emphasis.
    """
    before = r"(?<![A-Za-z0-9_/\\])(?P<emphasis>_{0,3})"
    return re.compile(
        rf"(?ai){before}(?P<mention>@{re.escape(handle)})(?=(?P=emphasis)?(?![.]*[\w-]|/[.]*\w|['\u2019]s\b))"
    )


def _options(shown: str, position: int, limits: OptionLimits) -> tuple[dict[str, str], str, int]:
    """The options after a mention that ends at `position`, what is wrong with them, and where they end."""
    options: dict[str, str] = {}
    problem = ""
    start = position + (shown[position : position + 1] in (",", ":"))
    while match := OPTION.match(shown, start):
        name, value = match[1].lower().replace("-", "_"), match[2].rstrip(",;")
        if name not in OPTION_NAMES and not match[1].islower():
            break  # DEBUG=1 is text
        if name in options:
            problem = problem or f"`{name}` is given twice: give it once."
        problem = problem or _problem(name, value, limits)
        options[name] = value
        position = start = match.end()
    return options, problem, position


def _problem(name: str, value: str, limits: OptionLimits) -> str:
    """What is wrong with an option, "" for nothing. The text contains no value, which is foreign."""
    allowed = [option for option in OPTION_NAMES if getattr(limits, "models" if option == "model" else option)]
    if name not in allowed:
        listed = ", ".join(f"`{option}`" for option in allowed) or "none"
        return f"`{name}` is not an option that a comment may set here (possible: {listed})."
    if name == "model":
        return "" if value in limits.models else f"`model` has to be one of {_quoted(limits.models)}."
    most = getattr(limits, name)
    is_number = re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,2})?" if name == "max_budget" else r"[0-9]{1,6}", value)
    if is_number and 0 < float(value) <= most:
        return ""
    return f"`{name}` has to be a number from {'0.01' if name == 'max_budget' else '1'} to {most:g}."


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _removed(text: str, start: int, end: int) -> tuple[int, int]:
    """What is taken out of a text with the mention (and options) between `start` and `end`."""
    while start and end < len(text) and text[start - 1] == text[end] and text[end] in "*_~":
        start, end = start - 1, end + 1
    line = text.rfind("\n", 0, start) + 1
    if LINE_MARKS.fullmatch(text, line, start):
        punctuation = PUNCTUATION.match(text, end)
        return start, punctuation.end() if punctuation else end
    before = start
    while text[before - 1] in " \t":
        before -= 1
    return before - (before < start and text[before - 1] == ","), end


def _without(text: str, removed: Iterable[tuple[int, int]]) -> str:
    kept, position = [], 0
    for start, end in removed:
        kept.append(text[position : max(start, position)])
        position = max(end, position)
    return "".join([*kept, text[position:]]).strip()
