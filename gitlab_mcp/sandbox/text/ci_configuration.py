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
_RUNS = {"script", "run", "trigger"}
# What a job takes from elsewhere is not resolved, so what it lacks may be there.
_INHERITS = {"extends", "<<"}


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
    inside, depth, includes = "", 0, False
    lines = text.splitlines()
    if error := syntax_error(text):
        return Configuration([], [], [error])
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if match := _KEY.match(line):
            inside, depth = match[1].strip(), 0
            includes = includes or inside == "include"
            if inside == "stages":
                stages += _listed(match[2] or "")
            elif inside not in _KEYWORDS and not inside.startswith("."):
                inline = re.findall(r"[{,]\s*(\w+):\s*([^,}]*)", match[2] or "")
                jobs.append(ConfiguredJob(inside, {key: value.strip("\"' ") for key, value in inline}))
                if (match[2] or "").startswith(("*", "!reference")):
                    jobs[-1].keywords["extends"] = match[2]
        elif inside == "stages" and (item := re.match(r"\s*- (.+)", line)):
            stages.append(item[1].strip("\"' "))
        elif jobs and inside == jobs[-1].name and (keyword := re.match(r" +(\w+|<<):\s*(.*)", line)):
            # The first keyword tells how far the job's keywords are indented.
            depth = depth or indent
            if indent == depth:
                jobs[-1].keywords[keyword[1]] = keyword[2].strip("\"' ")
    if includes:  # their jobs are not known, and their stages count only where this file lists none
        return Configuration(stages or list(_STAGES), jobs, _stage_errors(stages, jobs) if stages else [])
    stages = stages or list(_STAGES)
    return Configuration(stages, jobs, _errors(stages, jobs))


def syntax_error(text: str) -> str:
    """The error of a text that is not YAML or not a mapping, in the words of Psych and of Gitlab::Ci::Config."""
    lines = text.splitlines()
    opened: list[tuple[str, int, int]] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("\t"):
            problem = "found character that cannot start any token while scanning for the next token"
            return f"(<unknown>): {problem} at line {number} column 1"
        value = re.match(r"""\s*(?:- )?[\w.<"'-]+:\s+(?=[\[{])""", line)
        if value or opened:
            start = value.end() if value and not opened else 0
            for column, letter in enumerate(_unquoted(line)[start:], start + 1):
                if letter in "[{":
                    opened.append((letter, number, column))
                elif letter in "]}" and opened:
                    opened.pop()
    if opened:
        letter, number, column = opened[0]
        closing, what = ("]", "sequence") if letter == "[" else ("}", "mapping")
        expected = f"did not find expected ',' or '{closing}' while parsing a flow {what}"
        return f"(<unknown>): {expected} at line {number} column {column}"
    content = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "---"))]
    return "" if not content or any(_KEY.match(line) for line in content) else "Invalid configuration format"


def _unquoted(line: str) -> str:
    """The line with its quoted strings and its comment blanked out, so that columns stay."""
    blanked = re.sub(r""""(?:\\.|[^"\\])*"|'[^']*'""", lambda quoted: " " * len(quoted[0]), line)
    return re.sub(r"(^|\s)#.*", lambda comment: " " * len(comment[0]), blanked)


def _listed(text: str) -> list[str]:
    return [word.strip("\"' ") for word in text.strip("[] ").split(",") if word.strip()]


def _errors(stages: list[str], jobs: list[ConfiguredJob]) -> list[str]:
    if not jobs:
        return ["jobs config should contain at least one visible job"]
    errors = [
        f"jobs {job.name} config should implement the script:, run:, or trigger: keyword"
        for job in jobs
        if not (_RUNS | _INHERITS) & set(job.keywords)
    ]
    return errors + _stage_errors(stages, jobs)


def _stage_errors(stages: list[str], jobs: list[ConfiguredJob]) -> list[str]:
    available = [".pre", *stages, ".post"]
    return [
        f"{job.name} job: chosen stage {job.stage} does not exist; available stages are {', '.join(available)}"
        for job in jobs
        if job.stage not in available and ("stage" in job.keywords or not _INHERITS & set(job.keywords))
    ]
