"""A repository on GitLab as a git remote over HTTP: its URL, its credentials, and the meaning of git's errors."""

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gitlab_mcp.git.process import CompletedGit, GitError, TimeLeft, environment, run_git

REMOTE_NAME = "origin"

# The variables from which curl, git's HTTP library, takes a proxy; it reads http_proxy in lower case only.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")

LOW_SPEED_SECONDS = 60
REMOTE_OUTPUT_BYTES = 1_048_576  # more than git prints for a push, a fetch, or a list of a few refs

TRANSPORT = (
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", str(LOW_SPEED_SECONDS)),
    ("core.askPass", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("push.recurseSubmodules", "no"),
    # Set in the environment only: in a repository's configuration, git would fetch every missing object by itself.
    (f"remote.{REMOTE_NAME}.promisor", "true"),
    (f"remote.{REMOTE_NAME}.partialclonefilter", "blob:none"),
)


class RemoteErrorKind(Enum):
    """Why git failed to work with GitLab."""

    NOT_REACHED = "no connection"
    NOT_TRUSTED = "the TLS certificate was not accepted"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    MISSING = "404"
    BUSY = "no usable answer, before anything was sent"
    BROKEN = "no usable answer, after something was sent"
    REDIRECTED = "a redirect"
    OTHER = "something else"


class RemoteError(GitError):
    """git could not work with GitLab; `messages` are those of GitLab, line by line."""

    def __init__(self, text: str, kind: RemoteErrorKind, lines: Sequence[str], status: int | None) -> None:
        super().__init__(text, lines, status)
        self.kind = kind
        self.messages = list(remote_messages(lines))


@dataclass(frozen=True)
class Remote:
    """A repository at `url`, reached with `token` as the user `gitlab-ci-token`."""

    url: str
    token: str = field(repr=False)

    def run(
        self,
        *arguments: str,
        directory: Path,
        settings: Sequence[tuple[str, str]],
        time_left: TimeLeft,
        stdin: bytes = b"",
        most: int = REMOTE_OUTPUT_BYTES,
        variables: Mapping[str, str] | None = None,
    ) -> CompletedGit:
        """Run a git command that contacts this remote, under the name `origin`, in the repository `directory`.

        `settings` are further settings of git, such as a proxy, and `variables` further environment variables.

        Raises GitError when git cannot be started, or prints more than `most` bytes.
        """
        return run_git(
            f"--git-dir={directory}",
            *arguments,
            environment={**self._environment(directory, settings), **(variables or {})},
            time_left=time_left,
            directory=directory,
            stdin=stdin,
            most=most,
        )

    def _environment(self, home: Path, settings: Sequence[tuple[str, str]]) -> dict[str, str]:
        """The environment of git, with the token, which is on no command line and in no file.

        A header for the exact URL takes precedence over a more general one, and the empty value resets earlier ones.
        """
        credential = base64.b64encode(f"gitlab-ci-token:{self.token}".encode()).decode()
        header = f"http.{self.url}.extraHeader"
        pairs = [*settings, *TRANSPORT, (f"remote.{REMOTE_NAME}.url", self.url)]
        pairs += [(header, ""), (header, f"Authorization: Basic {credential}")]
        configuration = {"GIT_CONFIG_COUNT": str(len(pairs))}
        for number, (key, value) in enumerate(pairs):
            configuration |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        # HOME is the scratch repository, so that curl finds no .netrc.
        return {**environment(), **proxies(os.environ), **configuration, "HOME": str(home)}


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that set a proxy, as curl reads them; HTTP_PROXY becomes http_proxy."""
    variables = {name: environ[name] for name in PROXY_VARIABLES if environ.get(name)}
    if environ.get("HTTP_PROXY"):
        variables.setdefault("http_proxy", environ["HTTP_PROXY"])
    return variables


def remote_messages(lines: Sequence[str]) -> Iterator[str]:
    """The messages of GitLab among git's lines on stderr, without the prefix "remote:" and without empty lines."""
    for line in lines:
        if line.startswith("remote:") and (text := line.removeprefix("remote:").strip()):
            yield text


# The first pattern that matches decides. Messages of git 2.31 to 2.47 (remote-curl.c, http.c, send-pack.c) and of curl.
_KINDS = (
    (RemoteErrorKind.UNAUTHORIZED, r"could not read (Username|Password)|Authentication failed|(HTTP|error:) 401"),
    (RemoteErrorKind.FORBIDDEN, r"(HTTP|error:) 403"),
    (RemoteErrorKind.MISSING, r"repository '.*' not found|(HTTP|error:) 404"),
    (RemoteErrorKind.BROKEN, r"RPC failed|hung up|early EOF|unexpected disconnect|failed to report|protocol error"),
    (RemoteErrorKind.REDIRECTED, r"error: 30\d|unable to update url base from redirection"),
    (RemoteErrorKind.NOT_TRUSTED, r"SSL certificate|certificate verif|CAfile|server certificate"),
    (
        RemoteErrorKind.NOT_REACHED,
        r"Could not resolve|[Cc]ould ?n.t connect|Failed to connect|refused|[Nn]o route to host|CONNECT|timed out",
    ),
    # Whatever else: the first request, which only lists the refs, got another answer or none.
    (RemoteErrorKind.BUSY, r"unable to access"),
)


def remote_error(completed: CompletedGit) -> RemoteError:
    """The error for a git command that contacted GitLab and failed; its kind is read from git's messages."""
    own = [line for line in completed.lines if not line.startswith("remote:")]
    text = "\n".join(own)
    kind = next((kind for kind, pattern in _KINDS if re.search(pattern, text)), RemoteErrorKind.OTHER)
    last = own[-1] if own else f"git exited with status {completed.status}"
    return RemoteError(last, kind, completed.lines, completed.status)
