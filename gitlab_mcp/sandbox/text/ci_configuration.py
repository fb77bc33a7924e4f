"""Checking a .gitlab-ci.yml by itself, where no job is run: its jobs and its errors, without what it includes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.text.ci_inputs import InvalidInputs, interpolate
from gitlab_mcp.sandbox.text.ci_jobs import faults, stage_faults, visible_jobs
from gitlab_mcp.sandbox.text.yaml import InvalidYaml, Unreadable, load


@dataclass
class Configuration:
    """The stage of each job of a configuration, and the errors in GitLab's words."""

    jobs: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def read_configuration(text: str) -> Configuration:
    """Read the text of a .gitlab-ci.yml; never raises, as errors are part of the result.

    Nothing is known of a text that has something which is not read here, and so it has no errors either.
    """
    try:
        value = load(interpolate(text, {}, {}))
    except (InvalidInputs, InvalidYaml) as error:
        return Configuration(errors=[str(error)])
    except Unreadable:
        return Configuration()
    if value is not None and not isinstance(value, dict):
        return Configuration(errors=["Invalid configuration format"])
    configuration = value or {}
    jobs = {name: _stage(job) for name, job in visible_jobs(configuration).items()}
    if "include" not in configuration:
        return Configuration(jobs, faults(configuration))
    # The jobs of other files are not known, and their stages count only where this file lists none.
    return Configuration(jobs, stage_faults(configuration) if configuration.get("stages") else [])


def _stage(job: Any) -> str:
    stage = job.get("stage") if isinstance(job, dict) else None
    return stage if isinstance(stage, str) else "test"
