"""Reading .gitlab-ci.yml: its stages, its jobs and its errors, which is enough where no job is run.

It is read line by line, which suffices for the flat files of a sample project; includes and anchors are not resolved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_KEY = re.compile(r"""["']?([^\s#"'][^:"']*)["']?:(?:\s+(.*))?$""")
_KEYWORDS = {
    "default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script",
    "after_script", "spec",
}  # fmt: skip
_STAGES = ["build", "test", "deploy"]
_RUNS = {"script", "run", "trigger", "extends"}


@dataclass
class ConfiguredJob:
    """A job of a configuration, with the inline value of each of its keywords."""

    name: str
    keywords: dict[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        return self.keywords.get("stage") or "test"


@dataclass
class Configuration:
    """The stages and jobs of a configuration, and its errors in GitLab's words."""

    stages: list[str]
    jobs: list[ConfiguredJob]
    errors: list[str]


def read_configuration(text: str) -> Configuration:
    """Parse the text of a .gitlab-ci.yml; never raises, as errors are part of the result."""
    stages: list[str] = []
    jobs: list[ConfiguredJob] = []
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("\t"):
            problem = "found character that cannot start any token while scanning for the next token"
            return Configuration([], [], [f"(<unknown>): {problem} at line {number} column 1"])
        if match := _KEY.match(line):
            inside = match[1].strip()
            if inside == "stages":
                stages += _listed(match[2] or "")
            elif inside not in _KEYWORDS and not inside.startswith("."):
                inline = re.findall(r"[{,]\s*(\w+):\s*([^,}]*)", match[2] or "")
                jobs.append(ConfiguredJob(inside, {key: value.strip("\"' ") for key, value in inline}))
        elif inside == "stages" and (item := re.match(r"\s*- (.+)", line)):
            stages.append(item[1].strip("\"' "))
        elif jobs and inside == jobs[-1].name and (keyword := re.match(r"  (\w+):\s*(.*)", line)):
            jobs[-1].keywords[keyword[1]] = keyword[2].strip("\"' ")
    stages = stages or list(_STAGES)
    return Configuration(stages, jobs, _errors(stages, jobs))


def _listed(text: str) -> list[str]:
    return [word.strip("\"' ") for word in text.strip("[] ").split(",") if word.strip()]


def _errors(stages: list[str], jobs: list[ConfiguredJob]) -> list[str]:
    if not jobs:
        return ["jobs config should contain at least one visible job"]
    available = [".pre", *stages, ".post"]
    errors = [
        f"jobs {job.name} config should implement the script:, run:, or trigger: keyword"
        for job in jobs
        if not _RUNS & set(job.keywords)
    ]
    return errors + [
        f"{job.name} job: chosen stage {job.stage} does not exist; available stages are {', '.join(available)}"
        for job in jobs
        if job.stage not in available
    ]
