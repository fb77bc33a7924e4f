"""A CI job of the sandbox, started as a runner starts it."""

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from mcp import StdioServerParameters
from mcp.client.stdio import get_default_environment

from gitlab_mcp.cli.demo.clone import Clone
from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.sandbox import Sandbox

DEPTH = 20  # the number of commits that GitLab lets a runner fetch by default (GIT_DEPTH)


class NoJob(Exception):
    """The repository cannot have a job; the text says why."""


class Job:
    """The job that runs in the sandbox's project. Raises NoJob when there is no commit that it could run on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._job = sandbox.job
        self._token = sandbox.tokens["job"]
        self.commit = sandbox.job.pipeline.sha
        self.branch = sandbox.job.pipeline.ref
        if not self.commit.strip("0"):
            raise NoJob(
                "The repository has no commit, and GitLab starts a job on a commit only: commit something first, or"
                " leave out --job-token."
            )

    def __str__(self) -> str:
        return f"Job {self._job.id} ({self._job.name}), started by @{self._job.pipeline.user.username},"

    @property
    def user(self) -> str:
        """The user who started the pipeline, as git writes an author."""
        return f"{self._job.pipeline.user.name} <{self._job.pipeline.user.email}>"

    def clone(self, folder: Path) -> Clone:
        """Clone the project below `folder` as a runner does."""
        directory = folder / "builds" / self._sandbox.project
        directory.mkdir(parents=True)
        ref = f"refs/pipelines/{self._job.pipeline.id}"
        run = ("-C", str(directory))
        git(*run, "init", "-q")
        git(*run, "remote", "add", "origin", self._repository)
        git(*run, "fetch", "-q", "--no-tags", "--depth", str(DEPTH), "origin", f"+{self.commit}:{ref}")
        git(*run, "checkout", "-q", "-f", "--detach", self.commit)
        return Clone(directory)

    def server(self, clone: Clone) -> StdioServerParameters:
        """How to start the server in the clone, with the variables of a job, PATH and an empty HOME."""
        home = clone.directory.with_name("home of the job")
        home.mkdir(exist_ok=True)
        environment = {
            **self.variables(clone.directory),
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
        }
        # The client adds variables of its own environment; env -u removes them.
        added = [name for name in get_default_environment() if name not in environment]
        removed = [argument for name in added for argument in ("-u", name)]
        # Without -P, Python would import modules from the clone.
        command = [*removed, sys.executable, "-P", "-m", "gitlab_mcp", "serve"]
        return StdioServerParameters(
            command=shutil.which("env") or "/usr/bin/env", args=command, env=environment, cwd=clone.directory
        )

    def variables(self, directory: Path) -> dict[str, str]:
        """The variables that GitLab predefines for the job: https://docs.gitlab.com/ci/variables/predefined_variables/"""
        job, pipeline, user = self._job, self._job.pipeline, self._job.pipeline.user
        url, path, server = self._sandbox.url, self._sandbox.project, urlsplit(self._sandbox.url)
        project = f"{url}/{path}"
        namespace, _, name = path.rpartition("/")
        return {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_SERVER": "yes",
            "CI_SERVER_NAME": "GitLab",
            "CI_SERVER_URL": url,
            "CI_SERVER_PROTOCOL": server.scheme,
            "CI_SERVER_HOST": server.hostname or "",
            "CI_SERVER_PORT": str(server.port or ""),
            "CI_SERVER_FQDN": server.netloc,
            "CI_API_V4_URL": f"{url}/api/v4",
            "CI_PROJECT_ID": str(self._sandbox.project_id),
            "CI_PROJECT_NAME": name,
            "CI_PROJECT_NAMESPACE": namespace,
            "CI_PROJECT_PATH": path,
            "CI_PROJECT_URL": project,
            "CI_PROJECT_DIR": str(directory),
            "CI_PROJECT_VISIBILITY": job.project.visibility,
            "CI_DEFAULT_BRANCH": job.project.repository.default_branch,
            "CI_COMMIT_SHA": self.commit,
            "CI_COMMIT_SHORT_SHA": self.commit[:8],
            "CI_COMMIT_REF_NAME": self.branch,
            "CI_COMMIT_BRANCH": self.branch,
            "CI_COMMIT_REF_PROTECTED": "true" if self.branch in job.project.protected else "false",
            "CI_PIPELINE_ID": str(pipeline.id),
            "CI_PIPELINE_IID": str(pipeline.iid),
            "CI_PIPELINE_SOURCE": pipeline.source,
            "CI_PIPELINE_URL": f"{project}/-/pipelines/{pipeline.id}",
            "CI_JOB_ID": str(job.id),
            "CI_JOB_NAME": job.name,
            "CI_JOB_STAGE": job.stage,
            "CI_JOB_URL": f"{project}/-/jobs/{job.id}",
            "CI_JOB_TOKEN": self._token,
            "CI_REPOSITORY_URL": self._repository,
            "GITLAB_USER_ID": str(user.id),
            "GITLAB_USER_LOGIN": user.username,
            "GITLAB_USER_NAME": user.name,
            "GITLAB_USER_EMAIL": user.email,
        }

    @property
    def _repository(self) -> str:
        parts = urlsplit(self._sandbox.url)
        return f"{parts.scheme}://gitlab-ci-token:{self._token}@{parts.netloc}{parts.path}/{self._sandbox.project}.git"
