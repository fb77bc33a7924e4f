"""The options of one run, as the command line gave them."""

from dataclasses import dataclass
from pathlib import Path

# Where nobody but maintainers of the project wrote the prompt; Read and Edit are for the working directory only.
MAINTAINERS_TOOLS = "Bash Read(./**) Edit(./**) mcp__gitlab"
# Where the prompt is a comment: Bash is allowed only for commands that the maintainer names.
ANYBODYS_TOOLS = "Read(./**) Edit(./**) mcp__gitlab"


@dataclass(frozen=True)
class RunOptions:
    """What a run is to do and what it may do; an empty value means that the option is absent.

    `prompt` is a text, `prompt_file` a file of the target branch (with a leading slash: of the machine), `note` a
    reference to a note, `iid` an issue ("7", "#7") or merge request ("!7"). `tracking_note` is the id of a note that a
    listener made for this run. `flow_input_file` holds AI_FLOW_INPUT where that is too long for the environment, and is
    deleted. `timeout` is in minutes, `max_budget` in US dollars. `allowed_tools` is in the format of claude's
    --allowedTools. `base_url` and `proxy` are where the model's API is, `pass_env` names further variables that Claude
    Code gets, `claude` is the path of the program, and `claude_arguments` are given to it as they are.
    """

    prompt: str = ""
    prompt_file: str = ""
    note: str = ""
    iid: str = ""
    tracking_note: int = 0
    flow_input_file: Path | None = None
    model: str = ""
    max_turns: int | None = None
    max_budget: float | None = None
    timeout: float | None = None
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
