"""The templates, read as far as tests need it: their inputs, and the text that GitLab makes of them."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.paths import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
FOLDER = REPOSITORY / "templates"
TEMPLATE = FOLDER / "claude.yml"
# They are that job, extended by how it signs in.
PROVIDERS = {name: FOLDER / f"claude-{name}.yml" for name in ("bedrock", "vertex", "api-oidc")}
ALL = {"claude-api": TEMPLATE, **PROVIDERS}


def header(template: Path) -> dict[str, dict[str, str]]:
    """The inputs of a template by name, each with what stands on one line."""
    return header_of(template.read_text())


def header_of(text: str) -> dict[str, dict[str, str]]:
    """The inputs of a file by name, each with what stands on one line."""
    inputs: dict[str, dict[str, str]] = {}
    for line in text.partition("\n---\n")[0].splitlines():
        if named := re.fullmatch(r"    (\w+):(?: #.*)?", line):
            inputs[named[1]] = {}
        elif given := re.fullmatch(r"      (\w+): ?(.*)", line):
            inputs[list(inputs)[-1]][given[1]] = given[2]
    return inputs


def strings(template: Path) -> list[str]:
    """The names of the inputs that are text."""
    return [name for name, given in header(template).items() if "type" not in given]


def scalar(text: str) -> str:
    """What a YAML scalar on one line means, of the forms that the templates have."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        return text[1:-1].encode().decode("unicode_escape")
    return text


def interpolated(given: Mapping[str, object], template: Path = TEMPLATE) -> str:
    """The template's jobs as GitLab makes them: the values of inputs become text before it is read as YAML."""
    values: dict[str, object] = {
        name: scalar(one["default"]) for name, one in header(template).items() if "type" not in one and "default" in one
    }
    values |= {"max_turns": 60, "max_budget": 0, "timeout_minutes": 30, "interruptible": False, "cache": []}
    values |= {"allow_missing_rules": False}
    values |= {"rules": [{"when": "always"}], **given}

    def value(match: re.Match[str]) -> str:
        one = values[match[1]]
        return one if isinstance(one, str) else json.dumps(one)

    return re.sub(r"\$\[\[ inputs\.(\w+) \]\]", value, template.read_text().partition("\n---\n")[2])


def accepts(name: str, value: str, template: Path = TEMPLATE) -> bool:
    """Whether the input takes the value, by the rules of RE2: ^ and $ are the ends of the text."""
    pattern = scalar(header(template)[name]["regex"])
    assert pattern[0] == "^"
    assert pattern[-1] == "$"
    return re.fullmatch(pattern[1:-1], value) is not None


def script(jobs: str, *keys: str) -> str:
    """The lines of before_script and script, one after the other, as a runner's shell gets them."""
    lines: list[str] = []
    listed = folded = False
    for line in jobs.splitlines():
        if re.match(r"  \w", line):
            listed = line.strip(" :") in (keys or ("before_script", "script"))
        elif not listed or re.match(r"    (#|- !reference)", line):
            continue
        elif line.startswith("    - "):
            folded = line == "    - >"
            lines += [] if line in ("    - |", "    - >") else [line.removeprefix("    - ")]
            lines += [""] if folded else []
        elif folded:
            lines[-1] = f"{lines[-1]} {line.strip()}".strip()
        elif not line.strip() or line.startswith("      "):
            lines.append(line.removeprefix("      "))
    return "\n".join(lines) + "\n"


def repository(folder: Path, branch: str) -> None:
    """Make `folder` a repository with all that is in it on `branch`."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    for command in (
        ["init", "--quiet", f"--initial-branch={branch}"],
        ["add", "."],
        [*who, "commit", "--quiet", "--message", "Begin"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
