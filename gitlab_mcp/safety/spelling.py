"""Invisible characters that are spelling: joiners in words and emoji, and variation selectors in emoji and Mongolian.

Without them Persian words run together, Indic letters are others, and a family is several people. Where they can be
spelling follows Unicode's rules for joiners in identifiers (UAX 31, 2.3.1; RFC 5892, A.1 and A.2; UTS 39, 3.1.1) and
for emoji (UTS 51, ED-16 and ED-14a). Everywhere else they could hide a message.
"""

import functools
import re
from typing import Any

CANDIDATES = re.compile("[\u180b-\u180e\u200c\u200d\ufe0e\U000e0020-\U000e007f]")


def spelling_characters(text: str) -> frozenset[int]:
    """Where the invisible characters of `text` stand that are spelling."""
    if not CANDIDATES.search(text):
        return frozenset()
    return frozenset(position for match in _spelling().finditer(text) for position in range(*match.span()))


@functools.cache
def _spelling() -> Any:
    import regex  # its import takes time, and few texts need it

    joining = r"[\p{jt=D}\p{jt=L}\p{jt=R}]"
    emoji = r"\p{Extended_Pictographic}[\ufe0f\U0001f3fb-\U0001f3ff]?"
    return regex.compile(
        # between letters that join, as in Persian; comrades of an R letter are written too, though they change nothing
        rf"(?<={joining}\p{{jt=T}}{{0,5}})\u200c(?=\p{{jt=T}}{{0,5}}[\p{{jt=D}}\p{{jt=R}}])"
        r"|(?<=[\p{jt=D}\p{jt=L}]\p{jt=T}{0,5})\u200d(?=\P{jt=T})|(?<=[\p{jt=D}\p{jt=L}]\p{jt=T}{0,5})\u200d\Z"
        # after a virama, as in Hindi, Sinhala and Malayalam, or before one, as in Bengali and Kannada
        r"|(?<=\p{ccc=9}\p{Mn}{0,2})[\u200c\u200d]|(?<=\p{L})\u200d(?=\p{ccc=9})"
        # between two emoji, after one that also has a form as text, and in the flags of England, Scotland and Wales
        rf"|(?<={emoji})\u200d(?=\p{{Extended_Pictographic}})|(?<=\p{{Emoji}})(?<![0-9#*])\ufe0e"
        "|(?<=\U0001f3f4)\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
        "|\U000e0077\U000e006c\U000e0073)\U000e007f"
        r"|(?<=[\u1820-\u18aa])[\u180b-\u180d]|(?<=[\u1820-\u18aa])\u180e(?=[\u1820-\u18aa])"
    )
