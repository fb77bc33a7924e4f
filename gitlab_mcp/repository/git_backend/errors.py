"""The Failure for each error between git and GitLab: what failed, why, and what to do next."""

import re
from collections.abc import Sequence

from gitlab_mcp.errors import AnswerLost, Conflict, Failure, GitLabRefusal, NotFound, Unreachable
from gitlab_mcp.git.process import GitError
from gitlab_mcp.git.push import Pushed, RefLocked
from gitlab_mcp.git.remote import RemoteError, RemoteErrorKind
from gitlab_mcp.safety.sanitize import one_line

# https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository
JOB_PUSH_SETTING = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
ALLOW_PUSH = (
    f"A maintainer allows it in {JOB_PUSH_SETTING} (GitLab 18.4 or newer), and the user who started the pipeline"
    " needs role Developer."
)
ROLE = "The user who started the pipeline needs role Developer, or on a protected branch what its rule says."

# git's messages for a commit id that the remote does not have (upload-pack.c).
UNKNOWN_COMMIT = ("not our ref", "no such remote ref", "couldn't find remote ref", "bad object")


def failure_of(error: GitError, url: str, *, pushes: bool) -> Failure:
    """The failure for a git command that raised `error`; `url` is the repository's, `pushes` whether it was a push.

    It is AnswerLost where a push may have taken effect.
    """
    if not isinstance(error, RemoteError):
        if any(mark in str(error) for mark in UNKNOWN_COMMIT):
            return NotFound("GitLab has no such commit.", status=404)
        return Unreachable(f"{one_line(str(error), 300)}.")
    if isinstance(error, RefLocked):
        messages = quoted(error.messages)  # git 2.51.1 to 2.53 print none
        return Unreachable(
            f"GitLab could not move the branch{messages}, and nothing was changed: another push holds its lock, or one"
            " that was interrupted left it locked. Try again in a minute; if it stays locked, an administrator of this"
            " GitLab must remove the lock.",
            transient=True,
        )
    kind, messages = error.kind, quoted(error.messages)
    if kind is RemoteErrorKind.UNAUTHORIZED:
        return GitLabRefusal(
            f"GitLab refused CI_JOB_TOKEN for {url}{messages}: the job has ended, or the token is not this project's.",
            status=401,
        )
    if kind is RemoteErrorKind.FORBIDDEN:
        return GitLabRefusal(
            f"GitLab refused {'the push' if pushes else 'read access'}{messages}. {_remedy(error, pushes)}", status=403
        )
    if kind is RemoteErrorKind.MISSING:
        return NotFound(
            f"GitLab has no repository {url} that this job may see{messages}: check the project.", status=404
        )
    if kind is RemoteErrorKind.NOT_TRUSTED:
        return Unreachable(
            f"The TLS certificate of {url} was not accepted: for a private CA set GITLAB_CA_FILE to its PEM file."
        )
    if kind is RemoteErrorKind.NOT_REACHED:
        return Unreachable(
            f"{url} cannot be reached: is it up, and are the address, the proxy and the network right?", transient=True
        )
    if kind is RemoteErrorKind.REDIRECTED:
        return Unreachable(f"{url} redirects, which git does not follow with a token: check GITLAB_URL.")
    if kind is RemoteErrorKind.BUSY:
        return Unreachable(f"GitLab did not answer git as expected ({one_line(str(error), 200)}).", transient=True)
    if any(mark in line for mark in UNKNOWN_COMMIT for line in error.lines):
        return NotFound("GitLab has no such commit.", status=404)
    broken = f"The connection of git to {url} broke ({one_line(str(error), 200)})."
    return (
        AnswerLost(broken, transient=True) if pushes else Unreachable(broken, transient=kind is RemoteErrorKind.BROKEN)
    )


def refused(pushed: Pushed) -> GitLabRefusal:
    """The failure for a push that GitLab received and rejected."""
    if pushed.clash:
        return branch_name_conflict(*pushed.clash)
    if "refname conflict" in pushed.reason:
        return Conflict("The name of this branch conflicts with another branch: choose another name.", status=400)
    messages = " ".join(pushed.messages).removeprefix("GitLab: ")
    reason = one_line(messages or pushed.reason, 600)
    return GitLabRefusal(f"GitLab refused the push: {reason.rstrip('.')}. {ROLE}", status=403, reason=reason)


def branch_name_conflict(branch: str, existing: str) -> Conflict:
    """The failure for a branch whose name conflicts with another: git stores "a/b" as a file in a folder "a"."""
    existing, branch = one_line(existing, 300), one_line(branch, 300)
    return Conflict(
        f"git cannot have both the branch {existing}, which exists, and {branch}: one would be a file where the other"
        " needs a folder. Choose another name.",
        status=409,
    )


def _remedy(error: RemoteError, pushes: bool) -> str:
    if not pushes:
        return "The user who started the pipeline may not read the code here."
    return "" if any("archived" in line for line in error.messages) else ALLOW_PUSH


# GitLab's advice after every push, which has the URL on a line of its own.
PUSH_ADVICE = re.compile(r"^(View merge request for|To create a merge request for|https?://\S+$)")


def quoted(said: Sequence[str]) -> str:
    """The messages of GitLab, on one line in quotes and parentheses; "" when it printed none."""
    # Gitaly centers a warning between two lines of 72 "=" and breaks its lines anywhere.
    text = " ".join(" ".join(line for line in said if line.strip("=") and not PUSH_ADVICE.search(line)).split())
    if "Error encountered with push options" in text:
        text = text.rpartition("': ")[2]  # before it GitLab repeats every option, with the whole description
    text = one_line(text, 600).rstrip(".")
    return f' ("{text}")' if text else ""
