"""Which jobs a pipeline gets: `rules` of the configuration, with the expressions of their `if`.

Gitlab::Ci::Build::Rules and Gitlab::Ci::Pipeline::Expression: && comes before ||, and a comparison before both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitlab_mcp.sandbox.text.yaml import Unreadable

_TOKEN = re.compile(
    r"\s*(?:(?P<operator>==|!=|=~|!~|&&|\|\||\(|\))|(?P<variable>\$\w+|\$\{\w+\})|(?P<string>\"[^\"]*\"|'[^']*')"
    r"|(?P<null>null\b)|(?P<regex>/(?:[^/\\]|\\.)+/[ismU]*))"
)
_KNOWN = {"if", "when", "changes", "allow_failure", "variables"}


@dataclass(frozen=True)
class RuleResult:
    """What the rules say: `when` is never for a job that is not created."""

    when: str
    allow_failure: bool | None = None
    variables: tuple[tuple[str, str], ...] = ()


def evaluate(rules: Any, variables: Mapping[str, str], default_when: str) -> RuleResult:
    """The result of the first rule that matches; no rule that matches means never. Raises Unreadable.

    `changes` matches in every pipeline that is not for a push or a merge request (GitLab docs, rules:changes).
    """
    for rule in _flat(rules):
        if not isinstance(rule, dict) or set(rule) - _KNOWN:
            raise Unreadable(f"the rule {rule!r} is not read")
        if "if" in rule and not matches(str(rule["if"]), variables):
            continue
        given = rule.get("variables") or {}
        return RuleResult(
            str(rule.get("when", default_when)),
            rule.get("allow_failure"),
            tuple((str(name), str(value)) for name, value in given.items()),
        )
    return RuleResult("never")


def _flat(rules: Any) -> list[Any]:
    found: list[Any] = []
    for rule in rules if isinstance(rules, list) else [rules]:
        found += _flat(rule) if isinstance(rule, list) else [rule]
    return found


def matches(expression: str, variables: Mapping[str, str]) -> bool:
    """Whether an expression is true; a text that is set and not empty is. Raises Unreadable."""
    parser = _Parser(_tokens(expression), variables)
    value = parser.any_of()
    if parser.tokens:
        raise Unreadable(f"the expression {expression!r} is not read")
    return bool(value)


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while expression[at:].strip():
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"the expression {expression!r} is not read")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


@dataclass
class _Parser:
    tokens: list[tuple[str, str]]
    variables: Mapping[str, str]

    def any_of(self) -> Any:
        value = self.all_of()
        while self._take("||"):
            other = self.all_of()
            value = value or other
        return value

    def all_of(self) -> Any:
        value = self.comparison()
        while self._take("&&"):
            other = self.comparison()
            value = value and other
        return value

    def comparison(self) -> Any:
        left = self.operand()
        if self._take("=="):
            return left == self.operand()
        if self._take("!="):
            return left != self.operand()
        if self._take("=~"):
            return self._is_match(left)
        if self._take("!~"):
            return not self._is_match(left)
        return left

    def operand(self) -> Any:
        if self._take("("):
            value = self.any_of()
            if not self._take(")"):
                raise Unreadable("a parenthesis is not closed")
            return value
        kind, text = self.tokens.pop(0) if self.tokens else ("end", "")
        match kind:
            case "variable":
                return self.variables.get(text.strip("${}"))
            case "string":
                return text[1:-1]
            case "null":
                return None
            case "regex":
                return text
        raise Unreadable(f"{text or 'the end'} is not expected in an expression")

    def _is_match(self, left: Any) -> bool:
        pattern = self.operand()
        body, _, flags = str(pattern or "").rpartition("/")
        if left is None or not body.startswith("/"):
            return False
        mode = re.IGNORECASE if "i" in flags else re.NOFLAG
        return re.search(body[1:].replace(r"\/", "/"), str(left), mode) is not None

    def _take(self, operator: str) -> bool:
        if self.tokens and self.tokens[0] == ("operator", operator):
            del self.tokens[0]
            return True
        return False
