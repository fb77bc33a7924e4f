"""How the sandbox reads YAML: as GitLab does with Psych, in what it accepts, what it says of errors and its limits."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox.text.ci_inputs import interpolate
from gitlab_mcp.sandbox.text.yaml import InvalidYaml, Reference, Unreadable, documents, load

VALUES: list[tuple[str, Any]] = [
    ("", None),
    ("# only a comment\n", None),
    ("a: 1\nb: -2.5\nc: 007\nd: 1.2.3\ne: 1_000\n", {"a": 1, "b": -2.5, "c": 7, "d": "1.2.3", "e": 1000}),
    ("a: yes\nb: Off\nc: ~\nd:\ne: y\nf: =\n", {"a": True, "b": False, "c": None, "d": None, "e": "y", "f": "="}),
    ("a: !!str 1\nb: '2026-01-01'\n", {"a": "1", "b": "2026-01-01"}),
    ("a: |\n  one\n\n  # two\nb: >-\n  one\n  two\n", {"a": "one\n\n# two\n", "b": "one two"}),
    ("? a\n: b\n", {"a": "b"}),
    ("- &x one\n- *x\n- &x two\n- *x\n", ["one", "one", "two", "two"]),
    ("a: {b: &x {c: 1}}\nd:\n  <<: *x\n  e: 2\n", {"a": {"b": {"c": 1}}, "d": {"c": 1, "e": 2}}),
    ("- &x {k: 1}\n- &y {k: 2, l: 3}\n- {<<: [*x, *y]}\n", [{"k": 1}, {"k": 2, "l": 3}, {"k": 1, "l": 3}]),
    ("a: &x {k: 1, l: 2}\nb: {k: 3, <<: *x, l: 4}\n", {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 4}}),
    ("a: {'<<': b}\n", {"a": {"<<": "b"}}),
    ("a:\n  - !reference [b, script]\n  - c\n", {"a": [Reference(("b", "script")), "c"]}),
    ("a: {b: !reference [c, 1]}\n", {"a": {"b": Reference(("c", "1"))}}),
    ("\ufeffa:\r\n  b: 1\r\n", {"a": {"b": 1}}),
    ("a: 1\n...\nb: [\n", {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES, ids=lambda one: repr(one)[:40])
def test_a_text_is_read(text: str, value: Any) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\n", "did not find expected ',' or ']' while parsing a flow sequence at line 1 column 4"),
        ("\na: {b: 1\n", "did not find expected ',' or '}' while parsing a flow mapping at line 2 column 4"),
        ("a: [\n", "did not find expected node content while parsing a flow node at line 2 column 1"),
        ("a: 'b\n", "found unexpected end of stream while scanning a quoted scalar at line 1 column 4"),
        ('a: "\\q"\n', "found unknown escape character while parsing a quoted scalar at line 1 column 4"),
        ("a: [b] c\n", "did not find expected key while parsing a block mapping at line 1 column 1"),
        ("- a\nb: 1\n", "did not find expected '-' indicator while parsing a block collection at line 1 column 1"),
        ("a: one\n  b: two\n", "mapping values are not allowed in this context at line 2 column 4"),
        (
            "\ta: 1\n",
            "found character that cannot start any token while scanning for the next token at line 1 column 1",
        ),
        ("%YAML 1.2\n", "did not find expected <document start> at line 1 column 1"),
        ("[" * 100_000, "exceeded maximum nesting depth while increasing flow level at line 1 column 1001"),
        ("a: \0\n", "control characters are not allowed at line 1 column 1"),
    ],
)
def test_an_invalid_text_is_refused_in_the_words_of_psych(text: str, message: str) -> None:
    with pytest.raises(InvalidYaml) as error:
        load(text)
    assert str(error.value) == f"(<unknown>): {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *none\n", "An alias referenced an unknown anchor: none"),
        ("a: {b: 1, c: [*some-thing]}\n", "An alias referenced an unknown anchor: some-thing"),
        ("a: 2026-01-01\n", "Tried to load unspecified class: Date"),
    ],
)
def test_an_anchor_that_is_missing_and_a_date_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidYaml) as error:
        load(text)
    assert str(error.value) == message


def bomb(levels: int, text: str) -> str:
    """A text in which each level stands for ten times the one before it."""
    lines = [f"x{number}: &x{number} {text.format(', '.join([f'*x{number - 1}'] * 10))}" for number in range(1, levels)]
    return "\n".join(["x0: &x0 {a: 1}", *lines])


@pytest.mark.parametrize(
    "text",
    [
        bomb(12, "[{}]"),
        f"x: &x {'y' * 2000}\nall: [{'*x, ' * 2000}]",
        "x: &x {" + "".join(f"k{number}: 1, " for number in range(2000)) + "}\ny: {<<: [" + "*x, " * 2000 + "]}",
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "a: " + "[" * 100 + "]" * 100,
        "a: " + "[" * 900 + "]" * 900,
        "a: " + "x" * 3_000_000,
    ],
    ids=["aliases", "aliases in one list", "merges", "list in itself", "map in itself", "deep", "deeper", "long"],
)
def test_a_text_that_stands_for_too_much_is_refused(text: str) -> None:
    with pytest.raises(InvalidYaml, match=r"^The parsed YAML is too big$"):
        load(text)


def test_aliases_merges_and_depth_within_the_limits_are_read() -> None:
    assert len(load(bomb(4, "[{}]"))["x3"]) == 10
    assert load(bomb(30, "{{<<: [{}]}}"))["x29"] == {"a": 1}
    assert load("[" * 99 + "]" * 99)


@pytest.mark.parametrize(
    "text",
    [
        "a: !ruby/object x\n",
        "a: !!set {b, c}\n",
        "a: !!binary YQ==\n",
        "a: !!int b\n",
        "a: !!bool b\n",
        "a: !!map [b]\n",
        "a: !!seq {b: 1}\n",
        "a: !reference b\n",
        "a: {<<: b}\n",
        "? [a]\n: b\n",
        "a: 2026-01-01T00:00:00Z\n",
        "a: \ud800\n",
    ],
)
def test_what_is_not_read_is_told_from_what_is_invalid(text: str) -> None:
    with pytest.raises(Unreadable):
        load(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a: 1\n", 1),
        ("---\na: 1\n", 1),
        ("# c\n---\na: 1\n", 1),
        ("spec:\n---\na: 1\n", 2),
        ("a: |\n  ---\n", 1),
        ("--- # c\na: 1\n", 1),
        ("----\n", 1),
    ],
)
def test_a_text_has_documents(text: str, count: int) -> None:
    assert len(documents(text)) == count


@pytest.mark.parametrize("header", ["spec: [a]", "spec: {inputs: a}", "spec: {inputs: {a: b}}", "spec: !other a"])
def test_a_header_of_another_form_is_not_read(header: str) -> None:
    with pytest.raises(Unreadable):
        interpolate(f"{header}\n---\na: 1\n", {}, {})
