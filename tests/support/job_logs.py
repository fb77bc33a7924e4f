"""Jobs with a given log, and the lines of a log in an answer."""

import re

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Job


def numbered(answer: str) -> dict[int, str]:
    """The lines of a log in an answer, by their number."""
    rows = re.findall(r"(?m)^(\d+)\t(.*)$", answer)
    return {int(number): text for number, text in rows}


def job_with(sandbox: Sandbox, log: bytes, status: str = "failed") -> int:
    """A job of its own that ended with this log."""
    pipeline = sandbox.job.pipeline
    start = pipeline.created_at
    job = Job(sandbox.world.next_id("job"), "one", "test", pipeline, start, start, status, log=log)
    pipeline.jobs.append(job)
    return job.id
