"""The credential of a run: the first variable that holds a token, and what is wrong with a value that cannot be one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gitlab_mcp.config.environment import MissingCredential, SettingsError, is_ci, secret

CredentialKind = Literal["access token", "flow token", "job token"]

ACCESS_TOKEN_VARIABLES = ("GITLAB_ACCESS_TOKEN", "GITLAB_TOKEN", "GITLAB_PERSONAL_ACCESS_TOKEN")

# The characters of GitLab's tokens, and those of a prefix that an administrator may choose
# (ApplicationSetting#personal_access_token_prefix).
TOKEN_FORM = re.compile(r"[A-Za-z0-9_\-.~+/@:=]+")
PLACEHOLDER = re.compile(
    r"(gl[a-z]+-)?([x*._-]+|your[-_]?.*|(my|the|access|api|gitlab)?[-_]?token|secret|change[-_]?me|todo)|.*(\.\.|…).*"
    r"|.*[<\[{].*[>\]}].*|\*+",
    re.IGNORECASE | re.DOTALL,
)
# GitLab makes 20 characters or more; a token of fewer was cut when it was copied.
CUT = re.compile(r"glpat-.{0,9}")
OTHER_CHARACTERS = "contains characters that no GitLab token has"
UNREPLACED = re.compile(r"\$\{[^}]*?(\w+)\}|\$(\w+)")


@dataclass(frozen=True)
class Credential:
    """A token, and the variable that it was read from."""

    kind: CredentialKind
    variable: str
    token: str = field(repr=False)


def read_credential(environ: Mapping[str, str]) -> Credential:
    """The credential of a run.

    Raises MissingCredential when no variable holds one, or SettingsError when the first that is set holds something
    that cannot be a token. No text of an error contains the value.
    """
    job_token = secret(environ, "CI_JOB_TOKEN")
    # In CI the other two names belong to other tools, whose token may have more permissions than this job should.
    access_variables = ACCESS_TOKEN_VARIABLES[:1] if is_ci(environ) else ACCESS_TOKEN_VARIABLES
    kinds: list[tuple[CredentialKind, str]] = [("access token", name) for name in access_variables]
    kinds += [("flow token", "AI_FLOW_GITLAB_TOKEN"), ("job token", "CI_JOB_TOKEN")]
    for kind, name in kinds:
        _require_replaced(environ, name)
        if token := secret(environ, name):
            # People copy access tokens; GitLab itself sets the others.
            problem = _problem(token) if kind == "access token" else _unsendable(token)
            if problem:
                raise SettingsError(f"{name} {problem}: copy the token again.")
            is_job_token = token.startswith("glcbt-") or token == job_token
            return Credential("job token" if is_job_token else kind, name, token)
    raise MissingCredential


def read_job_token(environ: Mapping[str, str]) -> Credential | None:
    """The job token of a CI job; None elsewhere."""
    token = secret(environ, "CI_JOB_TOKEN") if is_ci(environ) else ""
    return Credential("job token", "CI_JOB_TOKEN", token) if token and not _unsendable(token) else None


def _require_replaced(environ: Mapping[str, str], name: str) -> None:
    """Raise SettingsError when the variable `name` is a reference to another variable that nothing replaced.

    A reference to itself counts as unset: clients write that into the environment where a variable is missing.
    """
    match = UNREPLACED.fullmatch(environ.get(name, "").strip())
    other = match and (match[1] or match[2])
    if other and other != name:
        raise SettingsError(
            f"{name} is a reference to the variable {other}, which nothing replaced with its value: set {other} (in a"
            f" job, a protected variable is missing on an unprotected branch), or write the token itself into {name}."
        )


def _problem(token: str) -> str:
    """What is wrong with the form of a token, as the end of a sentence; "" for one that GitLab may have made."""
    if token[0] in "\"'`" or token[-1] in "\"'`":
        return "has quotes around or at an end of the token, which are no part of it"
    if PLACEHOLDER.fullmatch(token):
        return "is a placeholder and not a token"
    if re.search(r"\s", token):
        return "contains a blank or the end of a line, which no GitLab token has"
    if not TOKEN_FORM.fullmatch(token):
        return OTHER_CHARACTERS
    return "is shorter than a GitLab token" if CUT.fullmatch(token) else ""


def _unsendable(token: str) -> str:
    """What is wrong with a token that no header can hold, as the end of a sentence; "" for any other."""
    return "" if re.fullmatch(r"[\x21-\x7e]+", token) else OTHER_CHARACTERS
