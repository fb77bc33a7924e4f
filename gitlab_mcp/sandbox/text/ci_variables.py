"""Variables of CI configurations: `$NAME` and `${NAME}` in a text (ExpandVariables of GitLab)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(\$|\{(\w+)\}|(\w+))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with the values of its variables, one that is not set as the empty text; `$$` stays as it is."""

    def value(match: re.Match[str]) -> str:
        name = match[2] or match[3]
        return variables.get(name, "") if name else match[0]

    return _VARIABLE.sub(value, text)
