"""What a run is asked: its prompt, who asked, and where it answers, as GitLab confirms it.

AI_FLOW_*, TRIGGER_PAYLOAD and ids of notes are claims: anyone who may set a pipeline variable can write them. Where the
credential can read the note, GitLab's author, text and thread count.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.tracking_note import NotePlace

Source = Literal["AI_FLOW_INPUT", "TRIGGER_PAYLOAD", "--note", "prompt file", "prompt"]


@dataclass(frozen=True)
class Request:
    """What a run is asked.

    `prompt` is the text for Claude Code's standard input. `by_people` is whether it is text from GitLab, whose authors
    are not the maintainer: then file mentions are off and the default tools are the narrow ones. `place` is where the
    run answers, None where it answers nobody. `asked_by` is the author as GitLab confirms it, "" where it is not known;
    `asked_at` is when they asked, in ISO 8601, "" where not known: our server gets it as GITLAB_MCP_ASKED_AT.
    `confidential` is whether the issue is confidential or the thread internal: then the log, artifacts, branch and
    merge request say nothing of it. `pipeline_source` is GitLab's, "" where not known. `remarks` are lines for the log.
    """

    prompt: str
    source: Source
    by_people: bool = False
    place: NotePlace | None = None
    asked_by: str = ""
    asked_at: str = ""
    confidential: bool = False
    pipeline_source: str = ""
    remarks: tuple[str, ...] = ()


def read_request(
    gitlab: GitLab,
    environ: Mapping[str, str],
    *,
    note: str = "",
    prompt_file: Callable[[], str] | None = None,
    prompt: str = "",
) -> Request:
    """Return what the run is asked: by AI_FLOW_INPUT, else `note`, else `prompt_file`, else `prompt`.

    `note` is the URL of a comment, or `#7 101`, `!12 101`, or an id where the job names the issue or merge request.
    `prompt_file` reads the file of the target branch. `gitlab.settings.job` holds the claims of the environment; a long
    AI_FLOW_INPUT that the shell took out of the environment is put back into `environ` by the caller.

    Raises SettingsError when there is no prompt or `note` is not a reference, a Failure when GitLab does not show the
    note.
    """
    raise NotImplementedError
