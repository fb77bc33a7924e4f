"""What Claude Code is started with: its program, arguments and environment."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.ci.run import bubblewrap
from gitlab_mcp.ci.run.environment import claude_environment
from gitlab_mcp.ci.run.model_api import connection
from gitlab_mcp.ci.run.options import RunOptions
from gitlab_mcp.ci.run.process import NotStartable


@dataclass(frozen=True)
class Start:
    """The command of a run and its environment."""

    command: tuple[str, ...]
    environ: Mapping[str, str]


def program(options: RunOptions, environ: Mapping[str, str]) -> str:
    """The absolute path of claude. Raises NotStartable where there is none."""
    name = options.claude or "claude"
    local = Path(environ.get("HOME", "/")) / ".local" / "bin"
    found = shutil.which(name, path=f"{environ.get('PATH', os.defpath)}{os.pathsep}{local}")
    if found is None:
        raise NotStartable(
            f"Claude Code is not installed: there is no program {name}. Install the npm package"
            " @anthropic-ai/claude-code, or name the program with --claude."
        )
    return str(Path(found).absolute())


def environment(options: RunOptions, environ: Mapping[str, str], *, by_people: bool, in_ci: bool) -> dict[str, str]:
    """The whole environment of Claude Code; `by_people` is whether the prompt is text from GitLab.

    Raises SettingsError where a variable would send the model's key elsewhere, or --pass-env names a GitLab token.
    """
    given = claude_environment(environ, options.pass_env, in_ci=in_ci)
    given |= connection(environ, options.base_url, options.proxy, in_ci=in_ci)
    # Otherwise titles of commits and names of files would be in a message of the system to the model.
    given["CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS"] = "1"
    if by_people:  # Claude Code would add the file of each "@path", from anywhere on the disk, to the conversation
        given["CLAUDE_CODE_DISABLE_FILE_MENTIONS"] = "1"
    if bubblewrap.works(given):  # without it Claude Code refuses to start with this
        given["CLAUDE_CODE_SUBPROCESS_ENV_SCRUB"] = "1"
    return given


def arguments(
    options: RunOptions, configuration: Path, instructions: Path | None, *, by_people: bool
) -> tuple[str, ...]:
    """The arguments of claude: `configuration` has our server, `instructions` are for the system prompt."""
    given = ["-p", "--output-format", "stream-json", "--verbose", "--setting-sources", "user"]
    given += ["--strict-mcp-config", "--mcp-config", str(configuration), "--permission-mode", "acceptEdits"]
    given += ["--allowedTools", options.tools(anybody=by_people)]
    for option, value in (
        ("--max-turns", options.max_turns),
        ("--max-budget-usd", options.max_budget),
        ("--model", options.model),
        ("--append-system-prompt-file", instructions),
    ):
        given += [option, str(value)] if value else []
    return (*given, *options.claude_arguments)
