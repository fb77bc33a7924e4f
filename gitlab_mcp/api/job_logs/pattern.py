"""Searching the lines of a log for a regular expression from a tool's argument, which may be slow.

The `regex` package takes the syntax of Python's `re`, lets other threads run during a search and ends it in time.
Its own syntax is not accepted: recursion takes a gigabyte a second. Compiling has no time limit: it stores a copy of a
group for each time that the group must occur, and copies of copies for groups in groups. Expressions of many copies are
refused before they are compiled.
"""

import re
import time
from typing import TYPE_CHECKING

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.errors import InvalidArgument

if TYPE_CHECKING:
    import regex

PATTERN_CHARACTERS = 200
SEARCHED_CHARACTERS = 2_000  # the part of a line that is searched
SEARCH_SECONDS = 5.0  # for all lines of a log
LINE_SECONDS = 1.0  # for one line, in processor time of the process, which the timeout of `regex` counts
GROUP_COPIES, COPIES = 64, 1_000  # of groups, and of what is in them; 64 copies of 90 groups take a second to compile
# + and {n}, not as the second half of "possessive" ?+ *+ ++. Those after a character, a class or . repeat no group.
REPETITION = re.compile(r"(?P<item>(?<=[\w\].]))?(?:(?<![?*+])\+|\{(?P<least>\d+))", re.ASCII)
VERBOSE = re.compile(r"\(\?[\w-]*x")  # the flag, with which white space and comments may stand in a repetition
# An escaped character, or a { that begins no {n,m}: it is literal in Python, and `regex` takes {e} as fuzzy matching.
BRACE = re.compile(r"(\\(?:N\{|.))|\{(?!\d*,?\d*\})", re.ASCII | re.DOTALL)
SIMPLER = "use a simpler one, such as error|failed"


class LogPattern:
    """A case-insensitive regular expression, for one search of a log.

    Raises InvalidArgument for an expression that is invalid or repeats too often.
    """

    def __init__(self, pattern: str) -> None:
        self._expression = _compiled(pattern)
        self._left = SEARCH_SECONDS

    def is_in(self, line: str) -> bool:
        """Whether the searched part of a line matches.

        Raises InvalidArgument when the search takes too long, and Unreachable after the deadline of the call.
        """
        began = time.monotonic()
        timeout = min(LINE_SECONDS, self._left, current_call.get().remaining())
        try:
            found = self._expression.search(line, endpos=SEARCHED_CHARACTERS, timeout=timeout)
        except TimeoutError as error:
            raise self._too_slow() from error
        self._left -= time.monotonic() - began
        if self._left <= 0:
            raise self._too_slow()
        return found is not None

    @staticmethod
    def _too_slow() -> InvalidArgument:
        return InvalidArgument(f"grep takes too long on this log: {SIMPLER}, without a repetition inside a repetition.")


def _compiled(pattern: str) -> "regex.Pattern[str]":
    import regex  # here, since it takes a while and only a search needs it

    if len(pattern) > PATTERN_CHARACTERS:
        raise InvalidArgument(f"grep has {len(pattern)} characters; at most {PATTERN_CHARACTERS} are allowed.")
    if VERBOSE.search(pattern):
        raise InvalidArgument("grep has the flag x (verbose): leave it out.")
    groups = items = 1
    for repetition in REPETITION.finditer(pattern):
        least = int(repetition["least"] or 1)
        if repetition["item"] is None:
            groups *= least + 1
        else:
            items = max(items, least)
    if groups > GROUP_COPIES or groups * items > COPIES:
        raise InvalidArgument(f"grep repeats groups or characters too often: {SIMPLER}, or * in place of {{n}} and +.")
    try:
        re.compile(pattern, re.IGNORECASE)
        return regex.compile(BRACE.sub(lambda brace: brace[1] or r"\{", pattern), regex.IGNORECASE)
    except (re.error, regex.error, ValueError, RecursionError, OverflowError) as error:
        raise InvalidArgument(
            f"grep is not a valid regular expression ({error}): put a \\ before a literal ( [ or *."
        ) from error
