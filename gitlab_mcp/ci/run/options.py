"""The options of one run, as the command line gave them, and those that a comment may choose."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gitlab_mcp.config.environment import variable
from gitlab_mcp.safety.mention import DEFAULT_MODELS, OptionLimits

# Where nobody but maintainers of the project wrote the prompt; Read and Edit are for the working directory only.
MAINTAINERS_TOOLS = "Bash Read(./**) Edit(./**) mcp__gitlab"
# Where the prompt is a comment: Bash is allowed only for commands that the maintainer names.
ANYBODYS_TOOLS = "Read(./**) Edit(./**) mcp__gitlab"


@dataclass(frozen=True)
class RunOptions:
    """What a run is to do and what it may do; an empty value means that the option is absent.

    `prompt` is a text, `prompt_file` a file of the target branch (with a leading slash: of the machine), `note` a
    reference to a note, `iid` an issue ("7", "#7") or merge request ("!7"). `noteable` is what a pipeline was started
    for ("issues/7", "merge_requests/12"): then `note` is the id of the comment that asked, "" for none, and `digest` is
    that of the texts at that time. `tracking_note` is the id of a note that a listener made for this run, 0 for none.
    `flow_input_file` holds AI_FLOW_INPUT where that is too long for the environment, and is deleted. `timeout` is in
    minutes, and so is `comment_timeout`, which a comment chose, `max_budget` in US dollars. `allowed_tools` is in the
    format of claude's --allowedTools. `comment_models` are the names of models that a comment may choose. `base_url`
    and `proxy` are where the model's API is, `pass_env` names further variables that Claude Code gets, `claude` is the
    path of the program, and `claude_arguments` are given to it as they are.
    """

    prompt: str = ""
    prompt_file: str = ""
    note: str = ""
    iid: str = ""
    noteable: str = ""
    digest: str = ""
    tracking_note: int = 0
    flow_input_file: Path | None = None
    model: str = ""
    comment_models: tuple[str, ...] = DEFAULT_MODELS
    max_turns: int | None = None
    max_budget: float | None = None
    timeout: float | None = None
    comment_timeout: int | None = None
    allowed_tools: str = ""
    allow_missing_rules: bool = False
    base_url: str = ""
    proxy: str = ""
    pass_env: tuple[str, ...] = ()
    claude: str = ""
    claude_arguments: tuple[str, ...] = ()

    def tools(self, *, anybody: bool) -> str:
        """The tools that need no permission; `anybody` is whether the prompt may be by anybody who can comment."""
        return self.allowed_tools or (ANYBODYS_TOOLS if anybody else MAINTAINERS_TOOLS)

    def limits(self, environ: Mapping[str, str]) -> OptionLimits:
        """What a comment may choose: at most what the maintainer allows this run, and no longer than the job's timeout.

        A number for which the maintainer sets no limit may not be chosen.
        """
        minutes = self.timeout or job_seconds(environ) / 60
        return OptionLimits(self.comment_models, self.max_turns or 0, int(minutes), self.max_budget or 0)

    def chosen(self, options: Mapping[str, str]) -> "RunOptions":
        """These options with those that a comment chose, by the names and within the limits of `limits`."""
        chosen = replace(self, model=options.get("model", self.model))
        if "max_turns" in options:
            chosen = replace(chosen, max_turns=int(options["max_turns"]))
        if "max_budget" in options:
            chosen = replace(chosen, max_budget=float(options["max_budget"]))
        return replace(chosen, comment_timeout=int(options["timeout"])) if "timeout" in options else chosen


def job_seconds(environ: Mapping[str, str]) -> int:
    """The timeout of the job, 0 where it is not known."""
    seconds = variable(environ, "CI_JOB_TIMEOUT")
    return int(seconds) if re.fullmatch(r"[0-9]{1,9}", seconds) else 0
