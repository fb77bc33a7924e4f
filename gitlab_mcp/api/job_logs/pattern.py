"""Regular expressions that somebody gives, kept to those that cannot take for ever.

Python's `re` goes back and tries again: what repeats inside what repeats takes exponential time on a short line. That
is refused, and of the rest what could try more than STEPS ways on the part of a line that is looked at.
"""

import re
from dataclasses import dataclass

from gitlab_mcp.errors import InvalidArgument

PATTERN_CHARACTERS = 200
SEARCHED_CHARACTERS = 400  # what is looked at of a line
LONG_LINE_CHARACTERS = 2_000  # the same for an expression with which that takes at most QUICK_STEPS
STEPS = 100_000_000
QUICK_STEPS = STEPS // 10
TOO_OFTEN = "repeats or chooses too often"
REGEX_TOKEN = re.compile(
    r"(?P<empty>[$^]|\\[bBAZ])|(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{(?:\d+,?\d*|,\d+)\})[?+]?)|(?P<or>\|)|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class LogPattern:
    """An expression, and how many characters of a line it is looked for in."""

    expression: re.Pattern[str]
    characters: int

    def is_in(self, line: str) -> bool:
        """Whether it is in the part of a line that is looked at."""
        return self.expression.search(line[: self.characters]) is not None


def compiled(pattern: str) -> LogPattern:
    """The expression, for a search in any letter case. Raises InvalidArgument for one that is wrong or too slow."""
    pattern = pattern.removeprefix("(?i)")
    if len(pattern) > PATTERN_CHARACTERS:
        raise InvalidArgument(f"grep has {len(pattern)} characters, and {PATTERN_CHARACTERS} are the most.")
    try:
        found = re.compile(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidArgument(
            f"grep is no regular expression ({error}): a \\ goes before a ( [ or * that is meant."
        ) from (error)
    if slow := _slow(pattern, SEARCHED_CHARACTERS, STEPS):
        raise InvalidArgument(f"grep {slow}, which can take too long: use a simpler one, such as error|failed.")
    is_quick = not _slow(pattern, LONG_LINE_CHARACTERS, QUICK_STEPS)
    return LogPattern(found, LONG_LINE_CHARACTERS if is_quick else SEARCHED_CHARACTERS)


def _slow(pattern: str, characters: int, most: int) -> str:
    """Why a right expression could take more than `most` steps on so many characters; "" where it cannot."""
    ways, steps = characters, 0  # of this alternative, and of those before it
    empty = 0  # how often what matches no character, and so stops at none, is tried
    open_groups: list[tuple[int, int]] = []  # which token began each, and how many ways it has by what is inside it
    closed, length = 1, 0  # the ways of the group that the last token closed, and its tokens; else 1 and 0
    for index, token in enumerate(REGEX_TOKEN.finditer(pattern)):
        kind, text = token.lastgroup, token[0]
        if (kind == "open" and pattern[token.end() : token.end() + 1] == "?") or re.match(r"\\\d", text):
            return "looks around, refers back or sets flags"
        choices = rounds = 1
        if kind == "repeat":
            if closed > 1:
                return "repeats a group that repeats or chooses"
            least, choices = _times(text, characters)
            if length and least > SEARCHED_CHARACTERS:
                return TOO_OFTEN
            # A group may match nothing, and then its rounds do not end with the line.
            rounds = least * length
        elif kind == "or":
            choices = 2 if open_groups else 1
            if not open_groups:
                ways, steps = characters, steps + ways
        elif kind == "empty":
            empty += ways
        ways *= max(choices, rounds)
        if kind == "open":
            open_groups.append((index, 1))
        elif kind == "close" and open_groups:
            began, closed = open_groups.pop()
            length, choices = index - began, closed
        if kind != "close":
            closed, length = 1, 0
        if open_groups and choices > 1:
            began, inside = open_groups[-1]
            open_groups[-1] = began, inside * choices
    return TOO_OFTEN if steps + ways > most or empty > 2 * most else ""


def _times(repeat: str, characters: int) -> tuple[int, int]:
    """How many times * + ? or {n,m} repeats at least, and in how many ways it can be met on a line."""
    if repeat[0] in "*+":
        return 0, characters
    if repeat[0] == "?":
        return 0, 2
    least, comma, most = repeat.rstrip("?+").strip("{}").partition(",")
    if not comma:
        return int(least), 1
    choices = (int(most) if most else characters) - int(least or 0) + 1
    return int(least or 0), max(1, min(characters, choices))
