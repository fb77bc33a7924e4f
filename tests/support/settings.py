"""Settings that point at a sandbox."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gitlab_mcp.config.checkout import WorkingDirectory
from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS

EVERY_TOOLSET = tuple(sorted({definition.toolset for definition in TOOLS}))


def settings_for(sandbox: Sandbox, user: str = "maintainer", **changes: Any) -> Settings:
    """The settings of a run on `sandbox` with the access token of `user`."""
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", sandbox.tokens[user])
    return replace(Settings(url=sandbox.url, credential=credential, project=sandbox.project), **changes)


def job_settings(sandbox: Sandbox, **changes: Any) -> Settings:
    """The settings of a job of the sandbox's project that has nothing but its CI_JOB_TOKEN; its backend is git."""
    credential = Credential("job token", "CI_JOB_TOKEN", sandbox.tokens["job"])
    settings = Settings(url=sandbox.url, credential=credential, project=sandbox.project, in_ci=True)
    return replace(settings, **{"own_project": (sandbox.project, str(sandbox.project_id)), **changes})


def checkout(path: Path, project: str = "acme/app") -> WorkingDirectory:
    """A working directory of `project` at `path`."""
    return WorkingDirectory(path.resolve(), project)


def offline_settings(**changes: Any) -> Settings:
    """The settings of a run that asks GitLab for nothing."""
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", "glpat-this-is-not-a-real-token")
    return Settings(url="https://gitlab.example.com", credential=credential, project="acme/app", **changes)
