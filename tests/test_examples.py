"""The examples, held to the page whose jobs they are; tests/e2e runs them."""

import hashlib
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from tests.support.duo_flow import FLOW, commands
from tests.support.shellcheck import needs_shellcheck, shellcheck
from tests.support.templates import EXAMPLES, TEMPLATE, script

# SHA-256 of the text of the blocks of https://code.claude.com/docs/en/gitlab-ci-cd, to the end of their last line.
PAGE = {
    "quick-setup.gitlab-ci.yml": "ba1a01dc2c869a6185aea024e5bdefc7cc67d2f202d70964ba9e27e004b037cf",
    "claude-api.gitlab-ci.yml": "d12f19bd08f88b5c0af8f999418ce4ba78f8b9afdb6e5f8c9489b50865816090",
    "bedrock.gitlab-ci.yml": "b1f201687406473b5f61f0992edb18901073ca11f84d82a3bf800e4dd0b10e23",
    "vertex.gitlab-ci.yml": "7cb969a3ce1cefbf0b455866b0fe6474b462318df822b7e6cf62197f1da93191",
}
# Why the page's lines cannot stay: each is said at the line that stands there instead.
REASONS = {
    "quick-setup.gitlab-ci.yml": {
        'export PATH="$HOME/.local/bin:$PATH"': "not on PATH",
        "claude -p": "an option of claude",
    },
    "claude-api.gitlab-ci.yml": {
        'export PATH="$HOME/.local/bin:$PATH"': "not on PATH",
        "claude -p": "an option of claude",
    },
    "bedrock.gitlab-ci.yml": {
        'export PATH="$HOME/.local/bin:$PATH"': "not on PATH",
        "id_tokens:": "CI_JOB_JWT_V2",
        "aws-cli": "PEP 668",
        "CLAUDE_CODE_USE_BEDROCK:": "asks the Claude API",
        "sign_in=": "nobody else can read",
        "claude -p": "an option of claude",
    },
    "vertex.gitlab-ci.yml": {
        'export PATH="$HOME/.local/bin:$PATH"': "not on PATH",
        "id_tokens:": "to be exchanged",
        "sign_in=": "credential_source",
        "GOOGLE_APPLICATION_CREDENTIALS=": "ANTHROPIC_VERTEX_PROJECT_ID",
        "CLAUDE_CODE_USE_VERTEX:": "asks the Claude API",
        "claude -p": "an option of claude",
    },
}


def page(name: str) -> str:
    """A block of the page."""
    return (EXAMPLES / "page" / name).read_text().partition("\n\n")[2]


def pieces(text: str) -> list[tuple[str, str]]:
    """The keys and the items of lists in a file, each whole, with the comment that stands before it."""
    found: list[tuple[str, str]] = []
    comment, depth = "", 99
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent > depth and found and not comment:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        elif line.strip().startswith("#"):
            comment, depth = f"{comment} {line.strip(' #')}".strip(), 99
        elif line.strip():
            found.append((comment, line))
            # What is deeper belongs to an item; to a key, it is pieces of its own.
            comment, depth = "", indent if line.strip().startswith("- ") else 99
    return found


@pytest.mark.parametrize("name", PAGE)
def test_the_pages_own_jobs_are_the_pages_text_byte_for_byte(name: str) -> None:
    comment = (EXAMPLES / "page" / name).read_text().partition("\n\n")[0]
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert "code.claude.com" in comment
    assert hashlib.sha256(page(name).encode()).hexdigest() == PAGE[name]


@pytest.mark.parametrize("name", PAGE)
def test_a_corrected_job_is_the_pages_but_for_what_says_why_it_is_not(name: str) -> None:
    ours, theirs = pieces((EXAMPLES / name).read_text()), pieces(page(name))
    compared = SequenceMatcher(None, [body for _, body in theirs], [body for _, body in ours], autojunk=False)
    marked: list[tuple[str, str]] = []
    for kind, _, _, first, last in compared.get_opcodes():
        if kind == "delete":
            assert "Left out:" in ours[first][0], ours[first]
        elif kind != "equal":
            assert "Changed:" in ours[first][0], ours[first]
            marked += ours[first:last]
    # Nothing is said to be changed that is not.
    assert [body for comment, body in ours if "Changed:" in comment and (comment, body) not in marked] == []
    for line, reason in REASONS[name].items():
        [at] = [index for index, (_, body) in enumerate(marked) if line in body]
        said = next(comment for comment, _ in reversed(marked[: at + 1]) if comment)
        assert reason in said, line


def test_the_context_is_not_written_into_the_jobs_log() -> None:
    assert 'echo "$AI_FLOW_INPUT for $AI_FLOW_CONTEXT' in page("quick-setup.gitlab-ci.yml")
    ours = (EXAMPLES / "quick-setup.gitlab-ci.yml").read_text()
    assert "AI_FLOW_CONTEXT" not in ours
    assert "Left out: an echo of them" in ours


@needs_shellcheck
@pytest.mark.parametrize("name", PAGE)
def test_shellcheck_finds_nothing_in_a_corrected_job(name: str, tmp_path: Path) -> None:
    text = script((EXAMPLES / name).read_text())
    assert "claude -p" in text
    # bash is installed or there, and a runner takes it.
    assert shellcheck(text, tmp_path, "bash") == ""


@needs_shellcheck
def test_shellcheck_finds_nothing_in_the_flow(tmp_path: Path) -> None:
    assert "claude -p" in commands(FLOW)
    assert shellcheck(commands(FLOW), tmp_path) == ""


def test_the_flow_keeps_long_texts_out_of_the_environment_as_the_template_does() -> None:
    found = re.search(r"# No program can be started.*?is left out\.\"\nfi\n", script(TEMPLATE.read_text()), re.DOTALL)
    assert found is not None
    assert found[0] in commands(FLOW)
