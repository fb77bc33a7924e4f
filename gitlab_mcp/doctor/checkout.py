"""Checks of the checkout's files: the job that runs claude, and the files that claude obeys without asking."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gitlab_mcp.config.environment import split_list
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, passed, skipped, warned

CI_FILE_BYTES = 1_000_000
OBEYED = (".mcp.json", ".claude/settings.json", ".claude/settings.local.json")

ALLOWING_OPTIONS = ("--allowedTools", "--allowed-tools")
ALL_TOOLS = ("mcp__gitlab", "mcp__gitlab__*")
ADD = 'Add it: --allowedTools "Bash(*) Read(*) Edit(*) Write(*) mcp__gitlab"'

# Where a script runs claude: at the beginning of a line or after an operator of the shell; before it there may be words
# of the shell, variables, and programs that run the command in their arguments.
CLAUDE = re.compile(
    r"""
    (?: ^ | [|;&({`] ) [ \t]*
    (?: (?:if|then|else|elif|do|while|until|!|time|exec|command) \s+
      | [A-Za-z_]\w*=\S* \s+
      | (?:env|nice|ionice|nohup|npx|setsid|stdbuf|sudo|timeout|xargs) \s+ (?:(?:-|\d)\S*\s+)*
    )*
    (?: (?:[^\s'";|&({`]*/)?claude | @anthropic-ai/claude-code\S* ) (?=\s|$)
    """,
    re.VERBOSE | re.MULTILINE,
)
# Blanks and redirections between the arguments of a command; an argument; what may follow the last one.
BLANKS = r"(?: [ \t] | \\\n | \d*+&?[<>]++&?+\d*+ )* (?! [ \t] | \\\n | \d*+&?[<>] )"
ARGUMENT = re.compile(
    BLANKS + r"""(?!\#) ( (?: [^\s;|&()<>`'"\\] | '[^']*' | "(?:[^"\\]|\\.)*" | \\. )+ )""", re.VERBOSE | re.DOTALL
)
COMMAND_END = re.compile(BLANKS + r"(?: $ | [\n;|&)`\#] )", re.VERBOSE)
# With one of these, claude does not run a model.
OTHER_COMMANDS = (
    *("-h", "--help", "-v", "--version", "agents", "auth", "config", "doctor", "install", "mcp", "plugin", "plugins"),
    *("setup-token", "update", "upgrade"),
)
# The beginning of a line of YAML: the dashes of list items, then a key.
ITEM = re.compile(r" *(?=-\s|-$|[\w.-]+ *:)(?:-(?:\s+|$))*(?:(?P<key>[\w.-]+) *:(?:\s+|$))?")
BLOCK = re.compile(r"([|>])[-+0-9]*\s*(?:#.*)?$")
YAML_QUOTES = "\"'[ "


@dataclass(frozen=True)
class ClaudeCommand:
    """A command that runs claude: the tools of this server that it allows, and whether it may allow more."""

    names: list[str]
    may_have_more: bool


def allowed(context: DoctorContext) -> CheckResult | None:
    path = context.checkout / ".gitlab-ci.yml"
    text = _text(path)
    look = f"Look at the line that runs claude. {ADD}"
    if text is None:
        if not context.in_ci:
            return None
        return skipped("whether .gitlab-ci.yml allows claude the tools: there is no .gitlab-ci.yml here", look)
    runs = list(_claude_commands(text))
    allowing = [run for run in runs if run.names]
    if runs and len(allowing) == len(runs):
        only = "" if any(name in ALL_TOOLS for run in runs for name in run.names) else " (some of them, by name)"
        return passed(f"The .gitlab-ci.yml here allows claude the tools of mcp__gitlab{only}")
    if runs and not any(run.names or run.may_have_more for run in runs):
        return warned("The .gitlab-ci.yml here runs claude without mcp__gitlab in its --allowedTools", ADD)
    if allowing:
        why = f"{len(allowing)} of the {len(runs)} lines that run it in the .gitlab-ci.yml here name mcp__gitlab"
    elif runs:
        why = "the .gitlab-ci.yml here takes its arguments from variables, or has quotes around its whole line"
    else:
        why = "no line of the .gitlab-ci.yml runs it"
    return skipped(f"whether .gitlab-ci.yml allows claude the tools: {why}", look)


def _claude_commands(text: str) -> Iterator[ClaudeCommand]:
    """Yield each command of a .gitlab-ci.yml that runs claude with a model."""
    for script in _scripts(text):
        unquoted = script.lstrip(YAML_QUOTES)
        for claude in CLAUDE.finditer(unquoted):
            arguments, end = [], claude.end()
            while argument := ARGUMENT.match(unquoted, end):
                arguments.append(re.sub(r"""['"\\]""", "", argument[1]))
                end = argument.end()
            if arguments and arguments[0] not in OTHER_COMMANDS:
                complete = bool(COMMAND_END.match(unquoted, end))
                yield ClaudeCommand([], may_have_more=True) if unquoted != script else _parsed(arguments, complete)


def _scripts(text: str) -> Iterator[str]:
    """Yield the items of lists and the values of keys such as `script`, as far as the lines of a text show them."""
    lines: list[str] = []
    is_script, block, indent = False, "", 0
    for line in (*text.split("\n"), "-"):
        if line.lstrip().startswith("#"):
            continue
        depth = len(line) - len(line.lstrip(" "))
        start = ITEM.match(line)
        if not line.strip() or (depth > indent and (block or not start)):
            lines.append(line)
            continue
        if is_script:
            # Lines of a literal block stay lines.
            yield ("\n".join(lines) if block == "|" else _folded(lines, is_block=bool(block))).strip()
        is_script = start is not None and (start["key"] or "script").endswith("script")
        rest = line[start.end() :] if start else ""
        style = BLOCK.match(rest)
        lines, block, indent = [] if style else [rest], style[1] if style else "", depth


def _folded(lines: list[str], *, is_block: bool) -> str:
    """The lines of a folded block or a plain text, joined; in a block, a line that is indented further stays a line."""
    # https://yaml.org/spec/1.2.2/#813-folded-style
    depths = [len(line) - len(line.lstrip(" ")) for line in lines]
    base = next((depth for line, depth in zip(lines, depths, strict=True) if line.strip()), 0)
    text, was_deeper = "", False
    for line, depth in zip(lines, depths, strict=True):
        is_deeper = is_block and depth > base
        text += f"{chr(10) if is_deeper or was_deeper else ' '}{line.strip() or chr(10)}"
        was_deeper = is_deeper
    return text


def _parsed(arguments: list[str], complete: bool) -> ClaudeCommand:
    words = [word for argument in arguments for word in (argument.split("=", 1) if argument[:1] == "-" else [argument])]
    values: list[str] = []
    option = ""
    for word in words:
        if word.startswith("-"):
            option = word
        elif option in ALLOWING_OPTIONS:
            values.append(word)
    # The patterns in brackets, such as those of Bash(...), are not names of tools.
    names = [name for value in values for name in split_list(re.sub(r"\([^()]*\)", "", value))]
    own = [name for name in names if name == "mcp__gitlab" or name.startswith("mcp__gitlab__")]
    # A variable may hold any option, unless it is the value of another one.
    in_variables = any(
        "$" in word and (before in ALLOWING_OPTIONS or not before.startswith("-"))
        for before, word in pairwise(["", *words])
    )
    return ClaudeCommand(own, may_have_more=in_variables or not complete)


def obeyed(context: DoctorContext) -> CheckResult | None:
    names = [name for name in OBEYED if (context.checkout / name).is_file()]
    if not names:
        return None
    return warned(
        f"The checkout contains {', '.join(names)}: claude starts the servers and runs the hooks in them without"
        f" asking, with {'the whole environment of the job' if context.in_ci else 'its whole environment'}, even when"
        " they come from a merge request",
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
    Check("allowed-tools", "whether .gitlab-ci.yml allows claude the tools", allowed),
    Check("obeyed-files", "which files of the checkout claude obeys", obeyed),
)
