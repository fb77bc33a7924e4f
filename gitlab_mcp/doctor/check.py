"""The type of a check."""

from collections.abc import Callable
from dataclasses import dataclass

from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult


@dataclass(frozen=True)
class Check:
    """A check. `about` says what it finds out, such as "whether the token is valid".

    `examine` returns None where there is nothing to report, and may raise Skipped or a Failure.
    """

    id: str
    about: str
    examine: Callable[[DoctorContext], CheckResult | None]
