"""The environment of Claude Code and of all that it starts: an allow-list, which no token of GitLab passes."""

import re
from collections.abc import Iterable, Mapping

from gitlab_mcp.ci.run.model_api import provider_of
from gitlab_mcp.config.credential import ACCESS_TOKEN_VARIABLES
from gitlab_mcp.config.environment import SettingsError, secret
from gitlab_mcp.config.settings import SECRET_VARIABLE

GITLAB_TOKENS = (*ACCESS_TOKEN_VARIABLES, "AI_FLOW_GITLAB_TOKEN", "CI_JOB_TOKEN")
# What programs need, what tells a job what it is about, and settings of Claude Code that change no permission.
PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|HOSTNAME|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLORTERM|NO_COLOR|TMPDIR|NO_PROXY|no_proxy"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GITLAB_CA_FILE"
    r"|CI|CI_\w+|GITLAB_(CI|URL|PROJECT|FEATURES|USER_\w+|MCP_\w+)|TRIGGER_PAYLOAD"
    r"|AI_FLOW_(INPUT|CONTEXT|EVENT|DISCUSSION_ID|PROJECT_PATH)"
    r"|ANTHROPIC_MODEL|ANTHROPIC_(SMALL_FAST|DEFAULT_(OPUS|SONNET|HAIKU))_MODEL"
    r"|CLAUDE_CODE_(MAX_OUTPUT_TOKENS|MAX_RETRIES|EFFORT_LEVEL|SUBAGENT_MODEL|ENABLE_TODO_TOOLS|ENABLE_TASKS|TMPDIR)"
    r"|CLAUDE_CODE_DISABLE_(NONESSENTIAL_TRAFFIC|EXPERIMENTAL_BETAS|ADAPTIVE_THINKING|1M_CONTEXT|BACKGROUND_TASKS)"
    r"|DISABLE_(AUTOUPDATER|TELEMETRY|ERROR_REPORTING|BUG_COMMAND|COST_WARNINGS|PROMPT_CACHING\w*)"
    r"|API_TIMEOUT_MS|BASH_(DEFAULT_TIMEOUT_MS|MAX_TIMEOUT_MS|MAX_OUTPUT_LENGTH)|MAX_THINKING_TOKENS"
    r"|MCP_(TIMEOUT|TOOL_TIMEOUT)|MAX_MCP_OUTPUT_TOKENS|ENABLE_TOOL_SEARCH"
)
PASSED_LOCALLY = re.compile(r"CLAUDE_CONFIG_DIR|XDG_\w+|DISPLAY|SSH_AUTH_SOCK|VIRTUAL_ENV")
# No program can be started with a longer one: https://man7.org/linux/man-pages/man2/execve.2.html (MAX_ARG_STRLEN)
LONGEST_PASSED = 100_000  # bytes


def claude_environment(environ: Mapping[str, str], pass_env: Iterable[str], *, in_ci: bool) -> dict[str, str]:
    """The variables of `environ` that Claude Code gets, those that `pass_env` names among them.

    A variable in which a GitLab token stands is left out, whatever its name: CI_REPOSITORY_URL holds the job's.
    Raises SettingsError where `pass_env` names such a variable.
    """
    named, provider = tuple(pass_env), provider_of(environ)
    tokens = [token for name in GITLAB_TOKENS if (token := secret(environ, name))]

    def has_token(name: str) -> bool:
        return name.removesuffix("_FILE") in GITLAB_TOKENS or any(token in environ[name] for token in tokens)

    if refused := [name for name in named if name in environ and has_token(name)]:
        raise SettingsError(
            f"--pass-env names {', '.join(refused)}, which holds a GitLab token: leave it out. The tools of the GitLab"
            " server have the token, and commands of the agent do not get it."
        )

    def is_passed(name: str) -> bool:
        if name in named or provider.variables.fullmatch(name):
            return True
        local = not in_ci and PASSED_LOCALLY.fullmatch(name)
        return bool(local or PASSED.fullmatch(name)) and not SECRET_VARIABLE.search(name)

    return {
        name: value
        for name, value in environ.items()
        if is_passed(name) and not has_token(name) and len(value.encode("utf-8", "surrogateescape")) < LONGEST_PASSED
    }


def on_branch(environ: Mapping[str, str], branch: str, commit: str) -> dict[str, str]:
    """The variables of a job whose checkout is another commit than its own: the tip of `branch`."""
    return {
        **{name: value for name, value in environ.items() if not name.startswith("CI_COMMIT_")},
        "CI_COMMIT_SHA": commit,
        "CI_COMMIT_SHORT_SHA": commit[:8],
        "CI_COMMIT_REF_NAME": branch,
        "CI_COMMIT_BRANCH": branch,
    }
