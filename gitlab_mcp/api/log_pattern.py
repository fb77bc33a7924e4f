"""Regular expressions that somebody gives, kept to those that cannot take for ever.

Python's `re` goes back and tries again: what repeats inside what repeats takes exponential time on a short line. That
is refused, and of the rest what could try more than STEPS ways on the part of a line that is looked at.
"""

import re

from gitlab_mcp.errors import InvalidArgument

PATTERN_CHARACTERS = 200
LINE_CHARACTERS = 400  # what is looked at of a line
STEPS = 100_000_000
TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{(?:\d+,?\d*|,\d+)\})[?+]?)|(?P<or>\|)|(?P<other>.)",
    re.DOTALL,
)


def compiled(pattern: str) -> re.Pattern[str]:
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
    if slow := _slow(pattern):
        raise InvalidArgument(f"grep {slow}, which can take too long: use a simpler one, such as error|failed.")
    return found


def _slow(pattern: str) -> str:
    """Why a right expression could take too long; "" where it cannot."""
    ways, steps = LINE_CHARACTERS, 0  # of this alternative, and of those before it
    open_groups: list[int] = []  # how many ways each has by repeats and choices inside it
    closed = 1  # the ways of the group that the last token closed
    for token in TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if (kind == "open" and pattern[token.end() : token.end() + 1] == "?") or re.match(r"\\\d", text):
            return "looks around, refers back or sets flags"
        here = 1
        if kind == "repeat":
            if closed > 1:
                return "repeats a group that repeats or chooses"
            here = _ways(text)
        elif kind == "or":
            here = 2 if open_groups else 1
            if not open_groups:
                ways, steps = LINE_CHARACTERS, steps + ways
        ways *= here
        if kind == "open":
            open_groups.append(1)
        elif kind == "close" and open_groups:
            closed = open_groups.pop()
            here = closed
        if kind != "close":
            closed = 1
        if open_groups and here > 1:
            open_groups[-1] *= here
    return "repeats or chooses too often" if steps + ways > STEPS else ""


def _ways(repeat: str) -> int:
    """In how many ways * + ? or {n,m} can be met on a line."""
    if repeat[0] in "*+":
        return LINE_CHARACTERS
    if repeat[0] == "?":
        return 2
    least, comma, most = repeat.rstrip("?+").strip("{}").partition(",")
    if not comma:
        return 1
    return max(1, min(LINE_CHARACTERS, (int(most) if most else LINE_CHARACTERS) - int(least or 0) + 1))
