"""Regular expressions from a tool's argument, restricted to those that cannot take very long.

Python's `re` backtracks: a repetition inside a repetition takes exponential time on a short line. Such an expression
is refused, and so is one that could take more than STEPS steps on the part of a line that is searched.
"""

import re
from dataclasses import dataclass

from gitlab_mcp.errors import InvalidArgument

PATTERN_CHARACTERS = 200
SEARCHED_CHARACTERS = 400  # the part of a line that is searched
LONG_LINE_CHARACTERS = 2_000  # the same for an expression that takes at most QUICK_STEPS on it
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
    """A regular expression, and how many characters of a line are searched for it."""

    expression: re.Pattern[str]
    characters: int

    def is_in(self, line: str) -> bool:
        """Whether the searched part of a line matches."""
        return self.expression.search(line[: self.characters]) is not None


def compiled(pattern: str) -> LogPattern:
    """The compiled expression, case-insensitive. Raises InvalidArgument for one that is invalid or may be too slow."""
    pattern = pattern.removeprefix("(?i)")
    if len(pattern) > PATTERN_CHARACTERS:
        raise InvalidArgument(f"grep has {len(pattern)} characters; at most {PATTERN_CHARACTERS} are allowed.")
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidArgument(
            f"grep is not a valid regular expression ({error}): put a \\ before a literal ( [ or *."
        ) from error
    if slow := _slow(pattern, SEARCHED_CHARACTERS, STEPS):
        raise InvalidArgument(f"grep {slow}, which can take too long: use a simpler one, such as error|failed.")
    is_quick = not _slow(pattern, LONG_LINE_CHARACTERS, QUICK_STEPS)
    return LogPattern(expression, LONG_LINE_CHARACTERS if is_quick else SEARCHED_CHARACTERS)


def _slow(pattern: str, characters: int, most: int) -> str:
    """Why a valid expression could take more than `most` steps on so many characters; "" where it cannot."""
    # `ways` are the ways to match the current alternative, `steps` the sum of those of the alternatives before it.
    ways, steps = characters, 0
    empty = 0  # how often a token that matches no character, such as ^, is tried
    open_groups: list[tuple[int, int]] = []  # for each, the index of its first token, and the ways to match it
    closed, length = 1, 0  # the ways of the group that the last token closed, and its number of tokens; else 1 and 0
    for index, token in enumerate(REGEX_TOKEN.finditer(pattern)):
        kind, text = token.lastgroup, token[0]
        if (kind == "open" and pattern[token.end() : token.end() + 1] == "?") or re.match(r"\\\d", text):
            return "has a lookaround, a backreference or flags"
        choices = rounds = 1
        if kind == "repeat":
            if closed > 1:
                return "repeats a group that repeats or chooses"
            least, choices = _times(text, characters)
            if length and least > SEARCHED_CHARACTERS:
                return TOO_OFTEN
            # A group may match the empty string, and then its repetitions do not end with the line.
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
    """The minimum of a repetition (* + ? or {n,m}), and in how many ways it can match on a line."""
    if repeat[0] in "*+":
        return 0, characters
    if repeat[0] == "?":
        return 0, 2
    least, comma, most = repeat.rstrip("?+").strip("{}").partition(",")
    if not comma:
        return int(least), 1
    choices = (int(most) if most else characters) - int(least or 0) + 1
    return int(least or 0), max(1, min(characters, choices))
