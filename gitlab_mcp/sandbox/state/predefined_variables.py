"""The variables that a pipeline and a job have: GitLab's own, and those of the project."""

from __future__ import annotations

from urllib.parse import urlsplit

from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Job, Project
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


def predefined_variables(
    world: World, project: Project, user: User, ref: str, sha: str, source: str, *, tag: bool
) -> dict[str, str]:
    """Those of a pipeline, which the rules of its jobs may use (GitLab docs, predefined CI/CD variables)."""
    parts = urlsplit(world.url)
    major, minor, patch = world.version.split(".")
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER": "yes",
        "CI_SERVER_URL": world.url,
        "CI_SERVER_HOST": parts.hostname or "",
        "CI_SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "CI_SERVER_PROTOCOL": parts.scheme,
        "CI_SERVER_FQDN": parts.netloc,
        "CI_SERVER_VERSION": world.version,
        "CI_SERVER_VERSION_MAJOR": major,
        "CI_SERVER_VERSION_MINOR": minor,
        "CI_SERVER_VERSION_PATCH": patch,
        "CI_API_V4_URL": f"{world.url}/api/v4",
        "CI_PROJECT_ID": str(project.id),
        "CI_PROJECT_NAME": project.path,
        "CI_PROJECT_PATH": project.full_path,
        "CI_PROJECT_NAMESPACE": project.group,
        "CI_PROJECT_URL": f"{world.url}/{project.full_path}",
        "CI_PROJECT_VISIBILITY": project.visibility,
        "CI_DEFAULT_BRANCH": project.repository.default_branch,
        "CI_COMMIT_SHA": sha,
        "CI_COMMIT_SHORT_SHA": sha[:8],
        "CI_COMMIT_REF_NAME": ref,
        ("CI_COMMIT_TAG" if tag else "CI_COMMIT_BRANCH"): ref,
        "CI_COMMIT_REF_PROTECTED": "true" if permissions.protection(project, ref) else "false",
        "CI_PIPELINE_SOURCE": source,
        **({"CI_PIPELINE_TRIGGERED": "true"} if source == "trigger" else {}),
        "GITLAB_USER_ID": str(user.id),
        "GITLAB_USER_LOGIN": user.username,
        "GITLAB_USER_NAME": user.name,
        "GITLAB_USER_EMAIL": user.email,
    }


def project_variables(project: Project, ref: str) -> dict[str, str]:
    """The project's CI/CD variables in a pipeline of a ref: protected ones only where the ref is protected.

    Left out are those of another environment scope than *, as no job has an environment here, and those of type file,
    whose values are paths on the runner.
    """
    protected = permissions.protection(project, ref) is not None
    return {
        one.key: one.value
        for one in project.variables
        if one.variable_type == "env_var" and one.environment_scope == "*" and (protected or not one.protected)
    }


def job_variables(world: World, job: Job, token: str) -> dict[str, str]:
    """All variables of a job that a runner took, with the precedence that GitLab gives them.

    What the pipeline was started with outranks everything, whatever its name (GitLab docs, variable precedence).
    """
    pipeline, project = job.pipeline, job.project
    variables = predefined_variables(
        world, project, pipeline.user, pipeline.ref, pipeline.sha, pipeline.source, tag=pipeline.tag
    )
    parts = urlsplit(world.url)
    variables |= {
        "CI_PIPELINE_ID": str(pipeline.id),
        "CI_PIPELINE_IID": str(pipeline.iid),
        "CI_PIPELINE_URL": f"{world.url}/{project.full_path}/-/pipelines/{pipeline.id}",
        "CI_JOB_ID": str(job.id),
        "CI_JOB_NAME": job.name,
        "CI_JOB_STAGE": job.stage,
        "CI_JOB_URL": f"{world.url}/{project.full_path}/-/jobs/{job.id}",
        "CI_JOB_TOKEN": token,
        "CI_REPOSITORY_URL": (
            f"{parts.scheme}://gitlab-ci-token:{token}@{parts.netloc}{parts.path}/{project.full_path}.git"
        ),
    }
    variables |= job.plan.variables if job.plan else {}
    variables |= project_variables(project, pipeline.ref)
    return variables | {str(one["key"]): str(one["value"]) for one in pipeline.variables}
