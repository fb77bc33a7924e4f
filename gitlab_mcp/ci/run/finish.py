"""`run --finish`: what a killed run has left open is closed, in the job's after_script."""

import time
from collections.abc import Mapping
from datetime import datetime

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.tracking_note import close_left_open
from gitlab_mcp.ci.run.command import job_url
from gitlab_mcp.ci.run.left_open import read_record, record_path
from gitlab_mcp.ci.run.reports import write_reports
from gitlab_mcp.ci.run.result import run_result
from gitlab_mcp.claude_code.ending import Ending
from gitlab_mcp.config.environment import variable, working_directory
from gitlab_mcp.config.settings import Flags, read_settings
from gitlab_mcp.errors import Failure
from gitlab_mcp.render.progress import Progress

FINISH_SECONDS = 60.0
TIMEOUT_SECONDS = 10.0  # GitLab ends a job at most so long before its timeout has passed


def finish(flags: Flags, environ: Mapping[str, str]) -> str:
    """Close the note of this job's run, if the run was killed or GitLab was away; returns a line for the log, or "".

    For a run that was killed, its result is written too.

    Raises SettingsError when the configuration cannot be used.
    """
    path = record_path(environ)
    opened = read_record(path) if path else None
    if path is None or opened is None:
        return ""
    settings = read_settings(flags, environ, working_directory())
    progress = Progress(job_url(settings, environ), secrets=settings.secret_values)
    seconds, ending = time.time() - opened.began, _ending(environ)
    folder = settings.working_directory.path if settings.working_directory else working_directory()
    result = run_result(ending, seconds, None, progress, secrets=settings.secret_values)
    problem = "" if opened.text else write_reports(folder, result)
    current_call.set(Call(FINISH_SECONDS, lambda _message: None))

    def edit(text: str) -> str:
        if opened.text:
            return opened.text
        steps = [line for line in text.splitlines() if line.startswith("- [")]
        return "\n\n".join(filter(None, [progress.ended(ending, seconds, None), "\n".join(steps)]))

    try:
        if opened.place:
            close_left_open(GitLab(settings), opened.place, opened.run, edit)
    except Failure as failure:
        problem = f"The note of the run could not be closed: {failure}"
    path.unlink(missing_ok=True)
    return problem or ("" if opened.text else f"{ending.reason} {ending.remedy}".strip())


def _ending(environ: Mapping[str, str]) -> Ending:
    """How the job ended before its after_script."""
    if variable(environ, "CI_JOB_STATUS") == "canceled":
        return Ending.CANCELED
    try:
        began = datetime.fromisoformat(variable(environ, "CI_JOB_STARTED_AT")).timestamp()
        is_over = time.time() >= began + float(variable(environ, "CI_JOB_TIMEOUT")) - TIMEOUT_SECONDS
    except ValueError:
        return Ending.KILLED
    return Ending.OUT_OF_TIME if is_over else Ending.KILLED
