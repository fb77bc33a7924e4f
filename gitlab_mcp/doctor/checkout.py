"""Files of the checkout: the job that runs claude, and what claude obeys without asking."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gitlab_mcp.config.environment import listed
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, passed, skipped, warned
from gitlab_mcp.doctor.scripts import scripts
from gitlab_mcp.doctor.shell import commands

CI_FILE_BYTES = 1_000_000
OBEYED = (".mcp.json", ".claude/settings.json", ".claude/settings.local.json")

OPTIONS = ("--allowedTools", "--allowed-tools")
ALL = ("mcp__gitlab", "mcp__gitlab__*")
ADD = 'Add it: --allowedTools "Bash(*) Read(*) Edit(*) Write(*) mcp__gitlab"'

# What may stand before the name of a command, and what runs the command that is named behind it.
BEFORE = ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "command")
STARTERS = ("env", "nice", "ionice", "nohup", "npx", "setsid", "stdbuf", "sudo", "timeout", "xargs")
# With one of these claude does something else than to run a model.
OTHER_COMMANDS = (
    *("-h", "--help", "-v", "--version", "agents", "auth", "config", "doctor", "install", "mcp", "plugin", "plugins"),
    *("setup-token", "update", "upgrade"),
)
VARIABLE = re.compile(r"\$[@*]|\$\w+|\$\{[^}]*\}|\$\[\[[^\]]*\]\]")


@dataclass(frozen=True)
class Run:
    """A line that runs claude: the names of this server's tools that it allows, and whether variables may hold more."""

    names: list[str]
    more: bool


def allowed(around: DoctorContext) -> CheckResult | None:
    path = around.checkout / ".gitlab-ci.yml"
    text = _text(path)
    look = f"Look at the line that runs claude. {ADD}"
    if text is None:
        if not around.in_ci:
            return None
        return skipped("whether the job allows claude the tools: there is no .gitlab-ci.yml here", look)
    runs = [_run(words) for script in scripts(text) for line in commands(script) if (words := _claude(line))]
    if good := [run for run in runs if run.names]:
        only = "" if any(name in ALL for run in good for name in run.names) else " (some of them, by name)"
        some = f", on {len(good)} of the {len(runs)} lines that run it" if len(good) < len(runs) else ""
        return passed(f"The .gitlab-ci.yml here allows claude the tools of mcp__gitlab{only}{some}")
    if any(not run.more for run in runs):
        return warned("The .gitlab-ci.yml here runs claude without mcp__gitlab in its --allowedTools", ADD)
    why = "what the .gitlab-ci.yml here allows stands in variables" if runs else "no line of the .gitlab-ci.yml runs it"
    return skipped(f"whether the job allows claude the tools: {why}", look)


def _claude(words: list[str]) -> list[str]:
    """The part of a command from claude's name on; empty where it runs something else."""
    at = next((at for at, word in enumerate(words) if word not in BEFORE and not re.match(r"\w+=", word)), len(words))
    if words[at:] and words[at].rpartition("/")[2] in STARTERS:
        at = next((later for later in range(at + 1, len(words)) if _is_claude(words[later])), len(words))
    found = words[at:]
    return found if found and _is_claude(found[0]) and found[1:2] and found[1] not in OTHER_COMMANDS else []


def _is_claude(word: str) -> bool:
    return word.rpartition("/")[2] == "claude" or word.startswith("@anthropic-ai/claude-code")


def _run(words: list[str]) -> Run:
    values: list[str] = []
    option, more = "", False
    for before, word in pairwise(words):
        if word.startswith("-"):
            # The option takes words up to the next one; behind "=" it takes just that.
            name, equals, value = word.partition("=")
            option = "" if equals else name
            values += [value] if equals and name in OPTIONS else []
        elif option in OPTIONS:
            values.append(word)
        elif VARIABLE.fullmatch(word) and not before.startswith("-"):
            more = True  # this may be anything
    # What Bash may run is no tool.
    names = [name for value in values for name in listed(re.sub(r"\([^()]*\)", "", value))]
    own = [name for name in names if name == "mcp__gitlab" or name.startswith("mcp__gitlab__")]
    return Run(own, more=any("$" in value for value in values) or (more and not values))


def obeyed(around: DoctorContext) -> CheckResult | None:
    found = [name for name in OBEYED if (around.checkout / name).is_file()]
    if not found:
        return None
    return warned(
        f"The checkout holds {', '.join(found)}: claude starts the servers and runs the hooks in them without asking,"
        " with the whole environment of the job, also when they come from a merge request",
        "Run claude with --setting-sources user, and give it CLAUDE.md by --append-system-prompt.",
    )


def _text(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(CI_FILE_BYTES)
    except OSError:
        return None


CHECKS = (
    Check("allowed-tools", "whether the job allows claude the tools", allowed),
    Check("obeyed-files", "which files of the checkout claude obeys", obeyed),
)
