"""Checks of the checkout's files: the job that runs claude, and the files that claude obeys without asking."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gitlab_mcp.config.environment import split_list
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, passed, skipped, warned
from gitlab_mcp.doctor.scripts import scripts
from gitlab_mcp.doctor.shell import commands

CI_FILE_BYTES = 1_000_000
OBEYED = (".mcp.json", ".claude/settings.json", ".claude/settings.local.json")

ALLOWING_OPTIONS = ("--allowedTools", "--allowed-tools")
ALL_TOOLS = ("mcp__gitlab", "mcp__gitlab__*")
ADD = 'Add it: --allowedTools "Bash(*) Read(*) Edit(*) Write(*) mcp__gitlab"'

# Words of the shell that may precede a command, and programs that run the command in their arguments.
SHELL_WORDS = ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "command")
WRAPPERS = ("env", "nice", "ionice", "nohup", "npx", "setsid", "stdbuf", "sudo", "timeout", "xargs")
# With one of these, claude does not run a model.
OTHER_COMMANDS = (
    *("-h", "--help", "-v", "--version", "agents", "auth", "config", "doctor", "install", "mcp", "plugin", "plugins"),
    *("setup-token", "update", "upgrade"),
)
VARIABLE = re.compile(r"\$[@*]|\$\w+|\$\{[^}]*\}|\$\[\[[^\]]*\]\]")


@dataclass(frozen=True)
class ClaudeCommand:
    """A command that runs claude: the tools of this server that it allows, and whether variables may add more."""

    names: list[str]
    may_have_more: bool


def allowed(context: DoctorContext) -> CheckResult | None:
    path = context.checkout / ".gitlab-ci.yml"
    text = _text(path)
    look = f"Look at the line that runs claude. {ADD}"
    if text is None:
        if not context.in_ci:
            return None
        return skipped("whether the job allows claude the tools: there is no .gitlab-ci.yml here", look)
    runs = [_parsed(words) for script in scripts(text) for line in commands(script) if (words := _claude_words(line))]
    if allowing := [run for run in runs if run.names]:
        only = "" if any(name in ALL_TOOLS for run in allowing for name in run.names) else " (some of them, by name)"
        some = f", on {len(allowing)} of the {len(runs)} lines that run it" if len(allowing) < len(runs) else ""
        return passed(f"The .gitlab-ci.yml here allows claude the tools of mcp__gitlab{only}{some}")
    if any(not run.may_have_more for run in runs):
        return warned("The .gitlab-ci.yml here runs claude without mcp__gitlab in its --allowedTools", ADD)
    why = (
        "the .gitlab-ci.yml here takes its arguments from variables"
        if runs
        else "no line of the .gitlab-ci.yml runs it"
    )
    return skipped(f"whether the job allows claude the tools: {why}", look)


def _claude_words(words: list[str]) -> list[str]:
    """The part of a command from claude's name on; empty where it runs another program, or no model."""
    start = next(
        (index for index, word in enumerate(words) if word not in SHELL_WORDS and not re.match(r"\w+=", word)),
        len(words),
    )
    if words[start:] and words[start].rpartition("/")[2] in WRAPPERS:
        start = next((index for index in range(start + 1, len(words)) if _is_claude(words[index])), len(words))
    rest = words[start:]
    return rest if rest and _is_claude(rest[0]) and rest[1:2] and rest[1] not in OTHER_COMMANDS else []


def _is_claude(word: str) -> bool:
    return word.rpartition("/")[2] == "claude" or word.startswith("@anthropic-ai/claude-code")


def _parsed(words: list[str]) -> ClaudeCommand:
    values: list[str] = []
    option, may_have_more = "", False
    for before, word in pairwise(words):
        if word.startswith("-"):
            # An option takes all words up to the next option, or with "=" one value.
            name, equals, value = word.partition("=")
            option = "" if equals else name
            values += [value] if equals and name in ALLOWING_OPTIONS else []
        elif option in ALLOWING_OPTIONS:
            values.append(word)
        elif VARIABLE.fullmatch(word) and not before.startswith("-"):
            may_have_more = True  # the variable may hold any option
    # The patterns in brackets, such as those of Bash(...), are not names of tools.
    names = [name for value in values for name in split_list(re.sub(r"\([^()]*\)", "", value))]
    own = [name for name in names if name == "mcp__gitlab" or name.startswith("mcp__gitlab__")]
    in_variables = any("$" in value for value in values)
    return ClaudeCommand(own, may_have_more=in_variables or (may_have_more and not values))


def obeyed(context: DoctorContext) -> CheckResult | None:
    names = [name for name in OBEYED if (context.checkout / name).is_file()]
    if not names:
        return None
    return warned(
        f"The checkout contains {', '.join(names)}: claude starts the servers and runs the hooks in them without"
        " asking, with the whole environment of the job, even when they come from a merge request",
        "Run claude with --setting-sources user, and pass CLAUDE.md with --append-system-prompt.",
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
