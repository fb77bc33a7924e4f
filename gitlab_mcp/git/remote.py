"""A repository on GitLab as git reaches it over HTTP: where it is, with which token, and what its failures mean."""

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gitlab_mcp.git.process import CompletedGit, GitError, TimeLeft, environment, run_git

REMOTE_NAME = "origin"

# How a proxy is named to curl, which git speaks through; http_proxy counts in lower case only.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")

LOW_SPEED_SECONDS = 60
SPOKEN_BYTES = 1_048_576  # more than git prints of what it did, or of refs that were named

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
    # Made known in the environment only: else git would write it into a repository, and ask GitLab by itself whenever
    # an object is missing.
    (f"remote.{REMOTE_NAME}.promisor", "true"),
    (f"remote.{REMOTE_NAME}.partialclonefilter", "blob:none"),
)


class RemoteErrorKind(Enum):
    """What went wrong between git and GitLab."""

    NOT_REACHED = "no connection"
    NOT_TRUSTED = "the TLS certificate was not accepted"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    MISSING = "404"
    BUSY = "no good answer, before anything was sent"
    BROKEN = "no good answer, after something was sent"
    REDIRECTED = "a redirect"
    OTHER = "something else"


class RemoteError(GitError):
    """git and GitLab did not come together; `said` is what GitLab's side said, line by line."""

    def __init__(self, text: str, kind: RemoteErrorKind, lines: Sequence[str], status: int | None) -> None:
        super().__init__(text, lines, status)
        self.kind = kind
        self.said = list(remote_messages(lines))


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
        most: int = SPOKEN_BYTES,
        variables: Mapping[str, str] | None = None,
    ) -> CompletedGit:
        """Run a git command that speaks with this remote, which it knows as `origin`, in the repository `directory`.

        `settings` are further ones of git's, such as a proxy, and `variables` of its environment. Raises GitError, also
        when git prints more than `most` bytes.
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
        """The environment with the token, which is on no command line and in no file.

        A header for the whole URL beats a more general one, and an empty value first drops whatever was set before.
        """
        credential = base64.b64encode(f"gitlab-ci-token:{self.token}".encode()).decode()
        header = f"http.{self.url}.extraHeader"
        pairs = [*settings, *TRANSPORT, (f"remote.{REMOTE_NAME}.url", self.url)]
        pairs += [(header, ""), (header, f"Authorization: Basic {credential}")]
        configuration = {"GIT_CONFIG_COUNT": str(len(pairs))}
        for number, (key, value) in enumerate(pairs):
            configuration |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        # HOME is ours, so that curl finds no .netrc.
        return {**environment(), **proxies(os.environ), **configuration, "HOME": str(home)}


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that name a proxy, as curl reads them."""
    found = {name: environ[name] for name in PROXY_VARIABLES if environ.get(name)}
    if environ.get("HTTP_PROXY"):
        found.setdefault("http_proxy", environ["HTTP_PROXY"])
    return found


def remote_messages(lines: Sequence[str]) -> Iterator[str]:
    """What GitLab's side said, without git's mark and empty lines."""
    for line in lines:
        if line.startswith("remote:") and (text := line.removeprefix("remote:").strip()):
            yield text


# In this order: the first that fits. Words of git 2.31 to 2.47 (remote-curl.c, http.c, send-pack.c) and of curl.
_TROUBLES = (
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
    # What is left of it: the first request, which only asks what is there, got another answer or none.
    (RemoteErrorKind.BUSY, r"unable to access"),
)


def remote_error(ended: CompletedGit) -> RemoteError:
    """What the failure of a git command that spoke with GitLab means."""
    text = "\n".join(line for line in ended.lines if not line.startswith("remote:"))
    kind = next((kind for kind, pattern in _TROUBLES if re.search(pattern, text)), RemoteErrorKind.OTHER)
    own = [line for line in ended.lines if not line.startswith("remote:")]
    last = own[-1] if own else f"git ended with {ended.status}"
    return RemoteError(last, kind, ended.lines, ended.status)
