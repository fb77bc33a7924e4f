"""A branch of the project in the working directory of a job."""

from pathlib import Path

from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import Refused
from gitlab_mcp.git import branch_checkout
from gitlab_mcp.repository.git_backend.client import GitClient


def check_out(project: Project, directory: Path, branch: str) -> str:
    """Make the files of the clone at `directory` those of a branch as GitLab has it now; returns the commit's id.

    Returns "", and changes nothing, where GitLab has no such branch. Nothing of the branch is run. Raises a Failure.
    """
    if not (directory / ".git").exists():
        raise Refused("The job has no clone of the project: its GIT_STRATEGY must be fetch or clone.")
    client = GitClient(project)
    try:
        found = client.tip(branch)
        return client.ask("fetch the branch", branch_checkout.check_out, directory, branch) if found else ""
    finally:
        client.scratch.close()
