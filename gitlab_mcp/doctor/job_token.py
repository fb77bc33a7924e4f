"""Checks of the job token: whether it is valid, and whether it may push."""

from uuid import uuid4

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.project import Project
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, in_quotes, passed, skipped
from gitlab_mcp.errors import GitLabRefusal
from gitlab_mcp.git.change import Author
from gitlab_mcp.git.process import CompletedGit, GitError
from gitlab_mcp.git.push import build
from gitlab_mcp.git.remote import REMOTE_NAME, RemoteError, RemoteErrorKind, remote_error
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.repository.git_backend.client import scratch_for
from gitlab_mcp.repository.git_backend.errors import ALLOW_PUSH, failure_of
from gitlab_mcp.repository.git_backend.errors import quoted as git_message

NOBODY = Author("gitlab-mcp-server doctor", "doctor@gitlab-mcp.invalid")


def valid(context: DoctorContext) -> CheckResult | None:
    if context.is_without_job() or not (gitlab := context.job_token_client()):
        return None
    try:
        job = gitlab.get("/job")
    except GitLabRefusal as refused:
        if refused.status != 401:
            raise
        return failed(
            "GitLab does not know CI_JOB_TOKEN: the job has ended, or the token is another GitLab's",
            f"Run it in a job that is running. {context.new_token}",
        )
    return passed(f"CI_JOB_TOKEN is valid: job {job.number('id')} of user {in_quotes(job.text('user', 'username'))}")


def push(context: DoctorContext) -> CheckResult | None:
    """Whether GitLab would accept a push: `git push --dry-run` asks for permission and sends nothing."""
    if context.is_without_job():
        return None
    settings = context.require_settings()
    gitlab = context.job_token_client()
    if gitlab is None or settings.read_only:
        return None
    context.project_path()  # raises Skipped when no project is known
    scratch = scratch_for(Project(gitlab, settings.project))
    try:
        completed = _push_dry_run(GitSession(scratch, current_call.get().remaining))
    except GitError as error:
        raise Skipped(str(error), "See the check of git.") from error
    finally:
        scratch.close()
    if completed.status == 0:
        return passed("GitLab lets this job push with CI_JOB_TOKEN (checked without pushing anything)")
    return _refused(context, remote_error(completed), scratch.remote.url)


def _push_dry_run(git: GitSession) -> CompletedGit:
    # git needs a commit to push: an empty one that stays in the scratch repository.
    commit = build(git, "", "Nothing", [], {}, NOBODY, 0)
    target = f"{commit}:refs/heads/gitlab-mcp-doctor-{uuid4().hex}"
    return git.run_remote("push", "--dry-run", "--porcelain", "--no-verify", REMOTE_NAME, target)


def _refused(context: DoctorContext, error: RemoteError, url: str) -> CheckResult:
    if error.kind is RemoteErrorKind.FORBIDDEN and any("archived" in line for line in error.messages):
        what = "The project is archived, and accepts no writes"
        return failed(what, "An owner can unarchive it: Settings > General > Advanced > Unarchive project.")
    if error.kind is RemoteErrorKind.FORBIDDEN:
        return failed(f"GitLab does not let this job push with CI_JOB_TOKEN{git_message(error.messages)}", ALLOW_PUSH)
    if error.kind is RemoteErrorKind.UNAUTHORIZED:
        what = f"GitLab refused CI_JOB_TOKEN for {url}{git_message(error.messages)}"
        return failed(
            f"{what}: the job has ended, or the token is not this project's",
            f"Run it in a job of this project that is running. {context.new_token}",
        )
    if error.kind is RemoteErrorKind.MISSING:
        what = f"GitLab has no repository {url} that this job may read{git_message(error.messages)}"
        return failed(what, "Check the project: GITLAB_PROJECT, or --project.")
    if error.kind is RemoteErrorKind.NOT_TRUSTED:
        what = f"git did not accept the TLS certificate of {url}"
        return failed(what, "For a private CA set GITLAB_CA_FILE to its PEM file.")
    if error.kind is RemoteErrorKind.REDIRECTED:
        return failed(f"{url} redirects, which git does not follow with a token", "Check GITLAB_URL.")
    if error.kind is RemoteErrorKind.NOT_REACHED:
        return skipped(f"whether the job may push: git cannot reach {url}", context.network)
    # During an outage it is not known whether the push is allowed.
    why = str(failure_of(error, url, pushes=True)).removesuffix(".")
    return skipped(f"whether the job may push: {why}", "Run it again in a few minutes.")


CHECKS = (
    Check("job-token", "whether CI_JOB_TOKEN is valid", valid),
    Check("push", "whether the job may push", push),
)
