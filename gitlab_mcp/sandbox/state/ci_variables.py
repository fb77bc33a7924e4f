"""CI/CD variables of a project, and what GitLab's models check of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_KEY = re.compile(r"[A-Za-z0-9_]+")
# Ci::Maskable: REGEX where the value is expanded, MASK_AND_RAW_REGEX where it is not.
_MASKED = re.compile(r"[a-zA-Z0-9_+=/@:.~-]{8,}")
_MASKED_AND_RAW = re.compile(r"\S{8,}")
# Gitlab::Regex.environment_scope_regex
_SCOPE = re.compile(r"[a-zA-Z0-9_/$\{\}. \-*]+")
_SCOPE_MESSAGE = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces"
_NAME_CHARACTERS = 255
# GitLab docs, CI/CD variables: the value is limited to 10,000 characters.
_VALUE_CHARACTERS = 10_000


@dataclass(eq=False, kw_only=True)
class CiVariable:
    """A CI/CD variable; `hidden` is what the website calls Masked and hidden: no response has its value."""

    key: str
    value: str
    variable_type: str = "env_var"
    protected: bool = False
    masked: bool = False
    hidden: bool = False
    raw: bool = False
    environment_scope: str = "*"
    description: str | None = None

    def errors(self, others: Iterable[CiVariable]) -> dict[str, list[str]]:
        """What GitLab refuses of it, by field; `others` are the project's other variables.

        Ci::HasVariable, Ci::Maskable, Ci::HasEnvironmentScope and Ci::Variable.
        """
        found: dict[str, list[str]] = {}
        if not self.key:
            found["key"] = ["can't be blank", "can contain only letters, digits and '_'."]
        elif not _KEY.fullmatch(self.key):
            found["key"] = ["can contain only letters, digits and '_'."]
        elif len(self.key) > _NAME_CHARACTERS:
            found["key"] = [f"is too long (maximum is {_NAME_CHARACTERS} characters)"]
        elif any((one.key, one.environment_scope) == (self.key, self.environment_scope) for one in others):
            found["key"] = [f"({self.key}) has already been taken"]
        if len(self.value) > _VALUE_CHARACTERS:
            found["value"] = [f"The value of the provided variable exceeds the {_VALUE_CHARACTERS} character limit"]
        elif self.masked and not (_MASKED_AND_RAW if self.raw else _MASKED).fullmatch(self.value):
            found["value"] = ["is invalid"]
        if not _SCOPE.fullmatch(self.environment_scope):
            found["environment_scope"] = [_SCOPE_MESSAGE] if self.environment_scope else ["can't be blank"]
        if self.description and len(self.description) > _NAME_CHARACTERS:
            found["description"] = [f"is too long (maximum is {_NAME_CHARACTERS} characters)"]
        return found
