"""A check of the doctor."""

from collections.abc import Callable
from dataclasses import dataclass

from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult


@dataclass(frozen=True)
class Check:
    """A check. `about` says what it finds out, such as "whether the token is good".

    `examine` returns None where there is nothing to report.
    """

    id: str
    about: str
    examine: Callable[[DoctorContext], CheckResult | None]
