"""python-gitlab: imported when the first request is sent, and sending its requests over a GitLabSession."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitlab_mcp import __version__
from gitlab_mcp.api.http import GitLabSession, HTTPResponse
from gitlab_mcp.config.settings import Settings


@dataclass(frozen=True)
class SentData:
    """A request body in the form in which python-gitlab hands it from one method of its backend to the other."""

    json: object
    content_type: str = "application/json"
    data: bytes | None = None


@dataclass
class Headers:
    """The headers of a request, to which the credential is added."""

    headers: dict[str, str] = field(default_factory=dict)


class SessionBackend:
    """A backend of python-gitlab (gitlab/_backends/protocol.py) that sends JSON or bytes over a GitLabSession.

    It ignores `verify`: nothing turns the verification of certificates off.
    """

    def __init__(self, session: GitLabSession) -> None:
        self.client = session

    @staticmethod
    def prepare_send_data(files: None, post_data: object, raw: bool) -> SentData:  # noqa: ARG004  # python-gitlab's
        """The body of a request: with `raw` the bytes of a file, else JSON."""
        if raw and isinstance(post_data, bytes):
            return SentData(None, "application/octet-stream", post_data)
        return SentData(post_data)

    def http_request(
        self, *, method: str, url: str, headers: dict[str, str], auth: Any, timeout: float, stream: bool, **request: Any
    ) -> HTTPResponse:
        """Send a request of python-gitlab's."""
        carrier = Headers(headers)
        auth(carrier)
        return self.client.request(
            method,
            url,
            params=request["params"],
            json=request["json"],
            content=request["data"],
            headers=carrier.headers,
            timeout=timeout,
            stream=stream,
        )


def connected(settings: Settings, session: GitLabSession) -> Any:
    """A client of python-gitlab's that sends the credential of `settings` over `session`."""
    return python_gitlab().Gitlab(
        settings.url,
        oauth_token=settings.credential.token,  # GitLab accepts every kind of token as Bearer
        backend=SessionBackend,
        session=session,
        keep_base_url=True,
        user_agent=f"gitlab-mcp-server/{__version__}",
    )


def python_gitlab() -> Any:
    """The module gitlab. Its import takes 0.25 s, so that it waits until the client has its list of tools."""
    if "HOME" not in os.environ:
        try:
            Path.home()
        except RuntimeError:  # the user of a container has no line in passwd, on which the import would fail
            os.environ["HOME"] = os.devnull
    import gitlab.exceptions
    import gitlab.v4.objects  # which Gitlab() would import

    return gitlab
