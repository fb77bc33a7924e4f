"""The run that docs/setup.md shows is one that was recorded. GOLDEN=update records it anew, and changes the page."""

import os
import re

from tests.support.paths import REPOSITORY
from tests.support.setup_command import Maintainer
from tests.support.setup_page import PAGE, blocks


def recorded(output: str, maintainer: Maintainer) -> str:
    """The output with the names of an example, and without what differs from day to day."""
    text = output.replace(maintainer.sandbox.url, "https://gitlab.example.com")
    text = re.sub(r"until \d{4}-\d\d-\d\d", "until 2027-11-27", text)
    text = re.sub(r"(gitlab-mcp-server \d+\.\d+\.\d+)-[0-9a-f]{12}", r"\1-4f1c0a7d9b2e", text)
    return re.sub(r"\d+ kB", "2539 kB", text).strip()


def test_the_page_shows_a_run_as_it_is(maintainer: Maintainer) -> None:
    text = recorded(maintainer.runs(answers="y\n").output, maintainer)
    shown = next(block for block in blocks("text") if block.startswith(("Set up ", "@RECORDED@"))).strip()
    if os.environ.get("GOLDEN") == "update":
        (REPOSITORY / "docs" / "setup.md").write_text(PAGE.replace(shown, text))
        return
    assert shown == text
