"""The sandbox's reader of YAML, by the forms that CI configurations have."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox.text.yaml import Reference, Unreadable, documents, load

VALUES: list[tuple[str, Any]] = [
    ("", None),
    ("# only a comment\n", None),
    ("a: 1\nb: -2.5\nc: 1e3\nd: 007\ne: 1.2.3\n", {"a": 1, "b": -2.5, "c": 1000.0, "d": "007", "e": "1.2.3"}),
    ("a: yes\nb: Off\nc: ~\nd:\ne: nullable\n", {"a": True, "b": False, "c": None, "d": None, "e": "nullable"}),
    ("a: 'it''s'\nb: \"tab\\t\\x41\\u00e9\"\nc: \"\"\n", {"a": "it's", "b": "tab\tA\xe9", "c": ""}),
    ("'a b': 1\n\"c: d\": 2\ne f: 3\n", {"a b": 1, "c: d": 2, "e f": 3}),
    ("a: https://x:1/y#z # comment\nb: 'c' # comment\n", {"a": "https://x:1/y#z", "b": "c"}),
    ("- a\n- - b\n  - c\n-\n  d: 1\n- e: 2\n  f: 3\n-\n", ["a", ["b", "c"], {"d": 1}, {"e": 2, "f": 3}, None]),
    ("a:\n- 1\n- 2\nb:\n  - 3\n", {"a": [1, 2], "b": [3]}),
    ("a: [1, 'b, c', {d: e, 'f':2}, [], null]\nb: {}\n", {"a": [1, "b, c", {"d": "e", "f": 2}, [], None], "b": {}}),
    ("a: [\n  one, # first\n  two\n  ]\nb: 1\n", {"a": ["one", "two"], "b": 1}),
    ("a: one\n  two\n\n  three\nb: 1\n", {"a": "one two\nthree", "b": 1}),
    ("a: 'one\n  two'\n", {"a": "one two"}),
    ("a: |\n  one\n    two\n\n  # three\nb: 1\n", {"a": "one\n  two\n\n# three\n", "b": 1}),
    ("a: |-\n  one\n\n\nb: |+\n  two\n\nc: 1\n", {"a": "one", "b": "two\n", "c": 1}),
    ("a: |2-\n   one\n  two\n", {"a": " one\ntwo"}),
    ("a: >\n  one\n  two\n\n  three\n    four\n  five\nb: 1\n", {"a": "one two\nthree\n  four\nfive\n", "b": 1}),
    ("- |\n  one\n- >-\n  two\n  three\n", ["one\n", "two three"]),
    ("a: &x\n  b: 1\nc: *x\nd:\n  <<: *x\n  e: 2\n", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
    ("- &x one\n- *x\n", ["one", "one"]),
    ("a:\n  - !reference [b, script]\n  - c\n", {"a": [Reference(("b", "script")), "c"]}),
    ("a: !reference [b]\n", {"a": Reference(("b",))}),
    ("script:\n  - echo one && \\\n    echo two\n", {"script": ["echo one && \\ echo two"]}),
    ("a: {b: 'c: d', e: \"f\"}\n", {"a": {"b": "c: d", "e": "f"}}),
    ("a:\r\n  b: 1\r\n", {"a": {"b": 1}}),
    ("- if: '$A == \"b: c\"'\n  when: never\n", [{"if": '$A == "b: c"', "when": "never"}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES, ids=lambda one: repr(one)[:40])
def test_a_text_is_read(text: str, value: Any) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 2\n",
        "a: {b: 1\n",
        "a: 'b\n",
        'a: "\\q"\n',
        "a: *none\n",
        "a: !ruby/object x\n",
        "? a\n: b\n",
        "%YAML 1.2\n",
        "a: 1\n   b: 2\n",
        "\ta: 1\n",
        "a: `b`\n",
        "a: [b] c\n",
        "- a\nb: 1\n",
        "a: one\n  b: two\n",
    ],
)
def test_what_is_not_read_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        load(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("a: 1\n", 1), ("---\na: 1\n", 1), ("# c\n---\na: 1\n", 1), ("spec:\n---\na: 1\n", 2), ("a: |\n  ---\n", 1)],
)
def test_a_text_has_documents(text: str, count: int) -> None:
    assert len(documents(text)) == count
