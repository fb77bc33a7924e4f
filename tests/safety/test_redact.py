"""Secrets by their form and by their value: every form is known, nothing like it is, and twice is once."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.redact import REPLACEMENT, TOKEN_MARKS, TOKENS, has_mark, redact, redacted, secrets_of_run

# One of each form, no longer than it must be. https://docs.gitlab.com/security/tokens/#token-prefixes
GITLAB_PREFIXES = (
    *("glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glwt-"),
    *("glsoat-", "glffct-"),
)
SHORTEST = {
    **{prefix: f"{prefix}0aZ_-.=xyz" for prefix in GITLAB_PREFIXES},
    "GR1348941": "GR13489410aZ_-0aZ_-",
    "whsec_": "whsec_0aZ+/=0aZ+/=0aZ+",
    **{prefix: f"{prefix}0ABCDEFGHIJKLMN9" for prefix in ("AKIA", "ASIA")},
    "AIza": "AIza" + "0aZ_-" * 6 + "0aZ_9",
    "sk-ant-": "sk-ant-" + "0aZ_-" * 4,
    **{f"gh{kind}_": f"gh{kind}_" + "0aZ9" * 9 for kind in "opsur"},
    "github_pat_": "github_pat_" + "0aZ_9" * 4 + "00",
    **{f"xox{kind}-": f"xox{kind}-0aZ-0aZ-00" for kind in "abprs"},
    "JSON web token": "eyJ0aZ_-0aZ_-.eyJ0aZ_-0aZ_-.x",
    "private key": "-----BEGIN PRIVATE KEY-----\nMIIE+/=\n-----END PRIVATE KEY-----",
    "kind of private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
    "private key on one line": "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----",
    "private key without an end": "-----BEGIN EC PRIVATE KEY-----\nMHcC",
}


@pytest.mark.parametrize("token", SHORTEST.values(), ids=SHORTEST)
@pytest.mark.parametrize("around", ["before {} after", "({})", "k={}", '"{}"', "{}\n", "é {}"])
def test_a_token_of_every_form_is_taken_out(token: str, around: str) -> None:
    shown = redact(around.format(token))
    assert token not in shown
    assert shown.startswith(around.split("{")[0] + REPLACEMENT)
    if "KEY-----" not in token:  # a key without an end may go on
        assert shown == around.format(REPLACEMENT)


def test_a_session_is_taken_out_of_its_cookie_and_the_name_stays() -> None:
    assert redact(f"_gitlab_session={'0a' * 8}; path=/") == f"_gitlab_session={REPLACEMENT}; path=/"


# What has a name of its own before its end is only as long as what is taken for no token.
TOO_SHORT = {name: token[:-1] for name, token in SHORTEST.items() if "private key" not in name and "JSON" not in name}


@pytest.mark.parametrize("text", TOO_SHORT.values(), ids=TOO_SHORT)
def test_a_text_one_character_short_of_a_token_stays(text: str) -> None:
    assert redact(f"see {text} there") == f"see {text} there"


@pytest.mark.parametrize(
    "text",
    ["my-glpat", "xglpat-0123456789ab", "glxx-0123456789", "gh_0123", "xoxz-0123456789", "-----BEGIN PUBLIC KEY-----"],
)
def test_what_is_no_token_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("prefix", sorted(SHORTEST.items()), ids=lambda pair: pair[0])
def test_every_form_has_a_mark_by_which_it_is_looked_for(prefix: tuple[str, str]) -> None:
    assert any(mark in prefix[1] for mark in TOKEN_MARKS)


def test_every_mark_belongs_to_a_form_that_is_tested_here() -> None:
    known = [*SHORTEST.values(), "_gitlab_session="]
    assert [mark for mark in TOKEN_MARKS if not any(mark in token for token in known)] == []


@pytest.mark.parametrize("prefix", GITLAB_PREFIXES)
def test_the_prefixes_that_gitlab_documents_are_each_looked_for_by_their_own_mark(prefix: str) -> None:
    assert prefix in TOKEN_MARKS


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"gl[a-z]+", TOKENS.pattern.replace("glrtr?", "glrt|glrtr").replace("github", ""))))
)
def test_every_prefix_in_the_expression_is_tested_here(name: str) -> None:
    assert f"{name}-" in SHORTEST


# Values.


def test_a_value_of_eight_characters_is_a_secret_and_one_of_seven_is_none() -> None:
    assert redact("12345678 1234567", ("12345678", "1234567")) == f"{REPLACEMENT} 1234567"


@pytest.mark.parametrize("secrets", [("hunter2-hunter2", "hunter2-hunter2-long"), ("hunter2-hunter2-long", "hunter2-")])
def test_of_two_values_that_begin_alike_nothing_is_left_whichever_comes_first(secrets: tuple[str, ...]) -> None:
    assert redact("the value is hunter2-hunter2-long.", secrets) == f"the value is {REPLACEMENT}."


def test_a_value_that_stands_more_than_once_is_taken_out_everywhere() -> None:
    assert redact("a hunter2-hunter2 b hunter2-hunter2", ("hunter2-hunter2",)) == f"a {REPLACEMENT} b {REPLACEMENT}"


@pytest.mark.parametrize("key", [SHORTEST["private key"], "a secret\nof three\nlines"])
def test_before_a_part_is_shown_lines_keep_their_numbers(key: str) -> None:
    token = secrets_of_run.set(("a secret\nof three\nlines",))
    try:
        shown = redacted(f"first\n{key}\nlast")
    finally:
        secrets_of_run.reset(token)
    assert shown.split("\n") == ["first", REPLACEMENT, REPLACEMENT, REPLACEMENT, "last"]


SECRETS = ("a-value-of-this-run", "a-value", "with\na line break")
SESSION = f"_gitlab_session={'0a' * 8}"
PIECES = st.sampled_from(
    [*SHORTEST.values(), SESSION, *SECRETS, *TOKEN_MARKS, "-----END PRIVATE KEY-----", "eyJ", "_", "-"]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=10).map("".join) | st.text(max_size=60)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_a_second_time_changes_nothing_more(text: str) -> None:
    once = redact(text, SECRETS)
    assert redact(once, SECRETS) == once


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_no_text_keeps_a_value_or_a_form(text: str) -> None:
    shown = redact(text, SECRETS)
    assert not any(len(secret) >= 8 and secret in shown for secret in SECRETS)
    assert TOKENS.search(shown) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_a_text_without_a_mark_and_a_value_stays_as_it_is(text: str) -> None:
    if not any(mark in text for mark in TOKEN_MARKS):
        assert redact(text, ("a-value-of-this-run",)) == text


@settings(max_examples=400, deadline=None)
@given(TEXTS | st.text("glpat-_xob.eyJAKISzGR", max_size=20))
def test_a_text_with_a_mark_is_known_by_one_search_for_marks_that_begin_alike(text: str) -> None:
    assert has_mark(text) is any(mark in text for mark in TOKEN_MARKS)
