"""The facts: what this server depends on at GitLab that no documentation promises, or that was only read in its source.

The ids stay: documentation refers to them. A new fact goes to the end, whatever it is about.
"""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["local", "job"]


@dataclass(frozen=True)
class Fact:
    """A sentence about GitLab, the mode in which it is tried, where it comes from, and what of ours depends on it."""

    id: str
    mode: Mode
    sentence: str
    source: str
    matters: str


FACTS: list[Fact] = []

_AUTHENTICATION = "https://docs.gitlab.com/api/rest/authentication/"
_ERRORS = "https://docs.gitlab.com/api/rest/troubleshooting/"
_QUICK_ACTIONS = "https://docs.gitlab.com/user/project/quick_actions/"
_JOB_TOKEN = "https://docs.gitlab.com/ci/jobs/fine_grained_permissions/"
_PUSH = "https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository"
_PUSH_OPTIONS = "https://docs.gitlab.com/topics/git/commit/#push-options-for-merge-requests"
_OPENING = "read in GitLab's MergeRequests::PushOptionsHandlerService"
_NOT_CONFIRMED = "seen with others, not confirmed"


def _fact(mode: Mode, sentence: str, source: str, matters: str) -> Fact:
    fact = Fact(f"F{len(FACTS) + 1}", mode, sentence, source, matters)
    FACTS.append(fact)
    return fact


# F1
JOURNEY = _fact(
    "local",
    "With an access token, an agent goes from an issue to a merge request with a note, and changes it.",
    "the whole of this server",
    "README.md",
)
BEARER = _fact(
    "local", "`Authorization: Bearer` is taken for an access token.", _AUTHENTICATION, "gitlab_mcp/api/client.py"
)
TOKEN_SELF = _fact(
    "local",
    "`GET /personal_access_tokens/self` answers with the token's scopes.",
    "https://docs.gitlab.com/api/personal_access_tokens/",
    "gitlab_mcp/api/identity.py",
)
MEMBER = _fact(
    "local",
    "`GET members/all/:user_id` answers with the user's access_level.",
    "https://docs.gitlab.com/api/project_members/",
    "gitlab_mcp/api/identity.py",
)
WRONG_TOKEN = _fact(
    "local", "An unknown token is answered with 401 `401 Unauthorized`.", _ERRORS, "gitlab_mcp/api/error_mapping.py"
)
MISSING_PROJECT = _fact(
    "local",
    "A project that is not there is answered with 404 `404 Project Not Found`.",
    "read in GitLab's API::Helpers#find_project!",
    "gitlab_mcp/api/error_context.py",
)
MISSING_THINGS = _fact(
    "local", "An issue, a branch and a file that are not there are 404.", _ERRORS, "gitlab_mcp/api/error_mapping.py"
)
MISSING_PARAMETER = _fact(
    "local", "A missing parameter is 400 with `error`.", _NOT_CONFIRMED, "gitlab_mcp/api/error_mapping.py"
)
INVALID_FIELD = _fact(
    "local", "A value that GitLab refuses is 400 with a `message` by field.", _ERRORS, "gitlab_mcp/api/error_mapping.py"
)
BRANCH_THERE = _fact(
    "local", "Creating a branch that is there is 400 `already exists`.", _NOT_CONFIRMED, "gitlab_mcp/tools/branches.py"
)
# F11
UNKNOWN_REF = _fact(
    "local",
    "Creating a branch from a ref that is not there is 400 `Invalid reference name`.",
    _NOT_CONFIRMED,
    "gitlab_mcp/api/error_mapping.py",
)
SECOND_MERGE_REQUEST = _fact(
    "local",
    "A second merge request for the same branches is 409 with a list in `message`.",
    "read in GitLab's lib/api/merge_requests.rb",
    "gitlab_mcp/api/merge_requests.py",
)
FILE_THERE = _fact(
    "local",
    "A commit that creates a file that is there is 400 `already exists`.",
    "read in GitLab's lib/api/commits.rb",
    "gitlab_mcp/api/error_mapping.py",
)
FILE_CHANGED = _fact(
    "local",
    "A commit with a last_commit_id that is out of date is 400 `has changed since`.",
    _NOT_CONFIRMED,
    "gitlab_mcp/repository/rest_backend.py",
)
BRANCH_BEGUN = _fact(
    "local",
    "A commit with start_sha onto a branch that is there is 400 `already exists`.",
    "read in GitLab's Commits::CreateService",
    "gitlab_mcp/repository/rest_backend.py",
)
COMMIT_ANSWER = _fact(
    "local",
    "A commit is answered with 201 and id, short_id, parent_ids and web_url.",
    "https://docs.gitlab.com/api/commits/",
    "gitlab_mcp/repository/rest_backend.py",
)
REVISION_RANGE = _fact(
    "local", "The list of commits takes `a..b` as ref_name.", _NOT_CONFIRMED, "gitlab_mcp/api/merge_requests.py"
)
BLANK_BEFORE_SLASH = _fact(
    "local",
    "A line with a blank before its slash executes no quick action, in a note and in a description.",
    "read in GitLab's lib/gitlab/quick_actions/extractor.rb",
    "gitlab_mcp/safety/escape.py",
)
EXECUTED = _fact(
    "local",
    "A note that is a quick action and nothing else is answered with 202 and commands_changes.",
    _QUICK_ACTIONS,
    "gitlab_mcp/api/notes.py",
)
BACKSLASH_N = _fact(
    "local",
    r"Over REST the two characters `\n` stay what they are.",
    "inferred: push options alone make a newline of them",
    "gitlab_mcp/api/merge_requests.py",
)
# F21
TEXTS_KEPT = _fact(
    "local",
    "A note and a description come back as they were sent, but for blanks at their ends.",
    "inferred",
    "gitlab_mcp/api/notes.py",
)
FORCE_REMOVE = _fact(
    "local",
    "remove_source_branch comes back as force_remove_source_branch.",
    "https://docs.gitlab.com/api/merge_requests/",
    "gitlab_mcp/api/merge_requests.py",
)
JOB = _fact(
    "job",
    "`GET /job` answers with the user's id and username and with pipeline.project_id.",
    "https://docs.gitlab.com/api/jobs/",
    "gitlab_mcp/repository/git_backend/pushes.py",
)
BAD_JOB_TOKEN = _fact(
    "job", "A job token that is none is answered with 401.", _JOB_TOKEN, "gitlab_mcp/api/error_mapping.py"
)
JOB_ISSUES = _fact(
    "job", "A job token reads issues, by Bearer and by JOB-TOKEN.", _JOB_TOKEN, "gitlab_mcp/api/job_token.py"
)
JOB_MERGE_REQUESTS = _fact(
    "job",
    "A job token reads merge requests and their notes, by Bearer and by JOB-TOKEN.",
    _JOB_TOKEN,
    "gitlab_mcp/api/job_token.py",
)
JOB_REPOSITORY = _fact(
    "job",
    "A job token reads branches, commits, raw files and tags, by Bearer and by JOB-TOKEN.",
    _JOB_TOKEN,
    "gitlab_mcp/api/job_token.py",
)
JOB_PIPELINES = _fact(
    "job",
    "A job token reads pipelines and jobs, by Bearer and by JOB-TOKEN.",
    _JOB_TOKEN,
    "gitlab_mcp/api/job_token.py",
)
OTHER_READS = _fact(
    "job",
    "Any other read does not know a job token (401 or 404).",
    "read in GitLab's lib/gitlab/auth/auth_finders.rb",
    "gitlab_mcp/api/job_token.py",
)
WRITES = _fact(
    "job",
    "No write over REST knows a job token (401, 403 or 404).",
    "read in GitLab's lib/gitlab/auth/auth_finders.rb",
    "gitlab_mcp/api/job_token.py",
)
# F31
GIT_READS = _fact(
    "job",
    "git reads the repository as gitlab-ci-token, and HEAD names the default branch.",
    "https://docs.gitlab.com/ci/jobs/ci_job_token/",
    "gitlab_mcp/git/session.py",
)
FILTER = _fact(
    "job",
    "A fetch with filter blob:none leaves the content of files out.",
    "https://docs.gitlab.com/topics/git/clone/",
    "gitlab_mcp/git/remote.py",
)
BY_ID = _fact("job", "A commit and the content of a file are fetched by id.", "inferred", "gitlab_mcp/git/session.py")
PUSH_TAKEN = _fact("job", "Where the project allows it, a push with a job token is taken.", _PUSH, "docs/job-token.md")
PUSH_REFUSED = _fact(
    "job",
    "Where it does not, the push is 403 `You are not allowed to push code to this project.`",
    "read in GitLab's lib/gitlab/git_access.rb",
    "gitlab_mcp/repository/git_backend/errors.py",
)
OPENED = _fact(
    "job",
    "merge_request.create opens a merge request for a push with a job token.",
    _OPENING,
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
OPENED_AT_ONCE = _fact(
    "job",
    "The merge request is there as soon as the push is answered.",
    "read in GitLab's lib/api/internal/base.rb",
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
PRINTED = _fact(
    "job",
    "The push prints `View merge request for BRANCH:` and the merge request's address.",
    "read in GitLab's lib/gitlab/internal_post_receive/response.rb",
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
NEWLINES = _fact(
    "job",
    r"The two characters `\n` in merge_request.description become a newline.",
    _PUSH_OPTIONS,
    "gitlab_mcp/repository/git_backend/push_options.py",
)
OPTIONS = _fact(
    "job",
    "merge_request.label (twice), .remove_source_branch and .squash are followed.",
    _PUSH_OPTIONS,
    "gitlab_mcp/repository/git_backend/push_options.py",
)
# F41
UPDATED = _fact(
    "job",
    "The options of the next push change the open merge request (title, unlabel).",
    _OPENING,
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
BYTES_5000 = _fact(
    "job",
    "A description of 5,000 bytes arrives whole.",
    "inferred",
    "gitlab_mcp/repository/git_backend/push_options.py",
)
BYTES_60000 = _fact(
    "job",
    "A description of 60,000 bytes arrives whole.",
    "https://git-scm.com/docs/protocol-common",
    "gitlab_mcp/repository/git_backend/push_options.py",
)
WARNED = _fact(
    "job",
    "An option that cannot be followed does not fail the push, which prints `Error encountered with push options`.",
    "read in GitLab's PostReceiveService",
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
UP_TO_DATE = _fact(
    "job",
    "A push of what is there already carries no options.",
    "https://git-scm.com/docs/git-push",
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
LEASE = _fact(
    "job",
    "A lease that does not fit is refused, in words that mean a moved branch.",
    "https://git-scm.com/docs/git-push",
    "gitlab_mcp/git/push.py",
)
NO_PIPELINE = _fact(
    "job",
    "No pipeline starts for a push with a job token: none of the branch, none of the updated merge request.",
    "read in GitLab's Gitlab::Ci::Pipeline::Chain::Validate::Abilities",
    "gitlab_mcp/repository/git_backend/backend.py",
)
FIRST_PIPELINE = _fact(
    "job",
    "A merge request pipeline starts for the merge request that such a push opens.",
    "inferred: MergeRequests::CreateService is not told of the job",
    "gitlab_mcp/repository/git_backend/merge_requests.py",
)
JOB_JOURNEY = _fact(
    "job",
    "With a job token alone, an agent commits, opens a merge request and changes it.",
    "the whole of this server",
    "docs/job-token.md",
)
