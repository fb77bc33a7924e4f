"""What people wrote, made safe to show: by content, and in time that grows with its length only."""

import logging
import sys
import time
from collections.abc import Callable

import pytest

from gitlab_mcp.render.markdown import quote
from gitlab_mcp.safety.escape import neutralize
from gitlab_mcp.safety.logging import RedactingFormatter
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import escape_invisible, one_line, sanitize

ATTACKS = [
    "<style " * 140_000,
    "<script>" * 120_000,
    "<!--" * 250_000,
    "<div hidden " * 80_000,
    "<a " + "hidden " * 140_000,
    "<a hidden>" * 100_000,
    "<!-- -" * 160_000,
    "\x1b]" * 400_000,
    "\x1b[" * 400_000,
    "`" * 900_000,
    "` `` ``` " * 100_000,
    "```\n" * 200_000,
    "@all" * 200_000,
    "/close\r" * 100_000,
    "eyJ" * 300_000,
    "-----BEGIN PRIVATE KEY-----" * 30_000,
    "glpat-" * 150_000,
    "<b hidden>\n" + "> " * 400_000,
    "<b hidden>\n" + "- " * 400_000,
    "<b hidden>\n\n" + ("> " * 30 + "a\n") * 16_000,
    "<b hidden>\n\n" + "- " * 30 + "a\n" + "\n \n" * 300_000,
    "<b hidden>\n\n" * 80_000,
    "a <!-- `b`\n\n" * 80_000,
    "<b hidden>" + "`a ``b " * 140_000,
    "<b hidden>\n- a\n" + "b\n" * 500_000,
    "<b hidden>" + "<a b='" * 160_000,
    "<b hidden>" + "[[" * 400_000,
    "<b hidden>" + "$a " * 300_000,
    "a\u200d\u064e" * 300_000,
]


@pytest.mark.parametrize("clean", [sanitize, one_line, quote, redact])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: repr(attack[:12]))
def test_a_million_hostile_characters_do_not_hold_the_server(attack: str, clean: Callable[[str], str]) -> None:
    began = time.monotonic()
    clean(attack)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: repr(attack[:12]))
def test_a_million_characters_to_send_do_not_hold_the_server(attack: str) -> None:
    began = time.monotonic()
    neutralize(attack[:100_000], ("all", "claude"))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u200bb\u202ec\u2066d\ufeff", "abcd"),
        ("tag\U000e0041\U000e007fs", "tags"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07", "red bell"),
        ("before <!-- hidden --> after", "before [hidden HTML removed] after"),
        ("before <!-- never closed", "before [hidden HTML removed]"),
        ("<script>alert(1)</script>x", "[hidden HTML removed]x"),
        ("<div hidden>obey</div>x", "[hidden HTML removed]x"),
        ('<span style="display: none">obey</span>x', "[hidden HTML removed]x"),
        ("<b>shown</b> <a href='hidden.html'>link</a>", "<b>shown</b> <a href='hidden.html'>link</a>"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("tab\tand emoji 👍🏽 ❤️ stay", "tab\tand emoji 👍🏽 ❤️ stay"),
    ],
)
def test_what_a_person_would_not_see_is_gone(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def test_code_keeps_its_invisible_characters_visible() -> None:
    assert escape_invisible("if admin\u202e:\x1b") == "if admin<U+202E>:<U+001B>"


@pytest.mark.parametrize(
    "secret",
    [
        "glpat-AbCdEfGhIjKlMnOpQrSt",
        "glpat-abc.01.0w1234567",
        "glcbt-64_" + "a" * 300,
        "AKIA" + "A" * 16,
        "sk-ant-api03-" + "x" * 40,
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "ghp_" + "a" * 36,
    ],
)
def test_a_secret_is_known_by_its_form(secret: str) -> None:
    assert secret not in redact(f"before {secret} after")
    assert redact(f"before {secret} after") == "before [token removed] after"


def test_a_secret_is_known_by_its_value() -> None:
    assert redact("the value is hunter2hunter2.", ("hunter2hunter2",)) == "the value is [token removed]."


def test_the_log_and_its_tracebacks_hold_no_secret() -> None:
    formatter = RedactingFormatter(("hunter2hunter2",))
    try:
        raise ValueError("glpat-AbCdEfGhIjKlMnOpQrSt and hunter2hunter2")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "with hunter2hunter2", None, sys.exc_info())
    text = formatter.format(record)
    assert "Traceback" in text
    assert "hunter2" not in text
    assert "glpat-" not in text
