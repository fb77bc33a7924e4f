"""Words that must not come back, over docstrings, comments, messages and documents: CONTRIBUTING, "The words"."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

# The word, what to write instead, and where the word has other forms or a good sense, the regular expression for it.
WORDS = (
    ("road", "backend (REST or git)", r"\broads?\b"),
    ("desk", "locally; `my_work`", r"\bdesks?\b"),
    ("amiss", "wrong", ""),
    ("mend", "fix", r"\bmend(s|ed|ing)?\b"),
    ("surroundings", "context", ""),
    ("cannot work like this", "configuration error", ""),
    ("gives an agent hands on", "lets an agent work on", r"\bhands on an?\b"),
    ("listed unasked", "enabled by default", r"\bunasked\b"),
    ("listed where asked for", "opt-in", r"\bwhere (it is |they are )?asked for"),
    ("whose words are shown", "user-content filter", ""),
    ("the whole way", "the full workflow", r"\bwhole way\b"),
    ("patience", "the time that is left", ""),
    ("passing failure", "transient error", r"\bpassing failures?\b"),
    ("writes that happen once", "idempotent writes", r"\bhappens? once\b"),
    ("inert", "neutralized", ""),
    ("leaves open", "has an unclosed block", r"\bleaves? open\b"),
    ("knobs", "fault injection", r"\bknobs?\b"),
    ("a maintainer opens it with", "a maintainer can allow this with", r"\bopens? it with\b"),
    ("confined to", "restricted to", r"\bconfine[sd]?\b"),
    ("a fault of its own", "an internal error", r"\bfault of its own\b"),
    ("cannot tell from here", "skipped", ""),
    ("is no (base64)", "is not valid (base64)", r"(?<!there )\bis no\b(?! longer| more)"),
    ("half of a surrogate pair", "an unpaired surrogate (invalid Unicode)", r"\bhalf (of )?a surrogate\b"),
    ("hangs on", "is attached to", r"\bhangs? on\b"),
    ("labels are made", "labels are created", ""),
    ("sanitise", "sanitize", r"\bsanitis\w*"),
)
PATTERNS = {word: re.compile(pattern or rf"\b{word}\b", re.IGNORECASE) for word, _, pattern in WORDS}
INSTEAD = {word: instead for word, instead, _ in WORDS}

# Old public names, which are accepted until 1.0.
ACCEPTED = {"gitlab_mcp/cli/sandbox.py": "knobs", "gitlab_mcp/config/settings.py": "desk"}

DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "Dockerfile", ".gitlab-ci.yml", ".ci/run")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "templates").iterdir()),
    *(path for path in sorted((REPOSITORY / "examples").rglob("*")) if path.is_file() and path.parent.name != "page"),
    *sorted((REPOSITORY / "scripts").iterdir()),
]
FILES = [*(path for folder in ("gitlab_mcp", "benchmarks") for path in sorted((REPOSITORY / folder).rglob("*.py")))]
FILES += DOCUMENTS


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a document, or the comments and strings of a module, each with the number of its line."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text().splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield token.start[0], " ".join(token.string.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_words_that_nobody_would_search_for_do_not_come_back(path: Path) -> None:
    found = [
        f"line {line}: {text[max(0, match.start() - 30) : match.end() + 20]!r}: write {INSTEAD[word]}"
        for line, text in texts(path)
        for word, pattern in PATTERNS.items()
        if ACCEPTED.get(str(path.relative_to(REPOSITORY))) != word
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_the_table_in_contributing_has_these_words() -> None:
    rows = "\n".join(f"| {word} | {instead} |" for word, instead, _ in WORDS)
    assert f"| not | but |\n|---|---|\n{rows}\n" in (REPOSITORY / "CONTRIBUTING.md").read_text()
