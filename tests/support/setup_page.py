"""docs/setup.md, and the code blocks in it."""

import re

from tests.support.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "setup.md").read_text()


def blocks(language: str) -> list[str]:
    """What stands in the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
