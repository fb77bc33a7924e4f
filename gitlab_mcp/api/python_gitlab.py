"""python-gitlab: imported when the first request is sent, and sending its requests over a GitLabSession."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from urllib3 import encode_multipart_formdata

from gitlab_mcp import __version__
from gitlab_mcp.api.http import GitLabSession, HTTPResponse
from gitlab_mcp.config.settings import Settings


@dataclass(frozen=True)
class SentData:
    """A request body in the form in which python-gitlab hands it from one method of its backend to the other."""

    json: object = None
    content_type: str = "application/json"
    data: bytes | None = None


@dataclass
class Headers:
    """The headers of a request, to which the credential is added."""

    headers: dict[str, str] = field(default_factory=dict)


class SessionBackend:
    """A backend of python-gitlab (gitlab/_backends/protocol.py) that sends JSON, or files, over a GitLabSession.

    It ignores `verify`: nothing turns the verification of certificates off. In `stream`, which python-gitlab hands on
    as it is, a number says that only so many bytes of the response are to be read.
    """

    def __init__(self, session: GitLabSession) -> None:
        self.client = session

    @staticmethod
    def prepare_send_data(files: Mapping[str, tuple[str, bytes]] | None, post_data: object, raw: bool) -> SentData:
        """The body of a request: with `raw` the bytes of a file, else files by the name of their field, else JSON."""
        if raw and isinstance(post_data, bytes):
            return SentData(content_type="application/octet-stream", data=post_data)
        if not files:
            return SentData(post_data)
        data, content_type = encode_multipart_formdata(files)
        return SentData(content_type=content_type, data=data)

    def http_request(
        self,
        *,
        method: str,
        url: str,
        headers: dict[str, str],
        auth: Any,
        timeout: float,
        stream: bool | int,
        data: bytes | None = None,
        **request: Any,
    ) -> HTTPResponse:
        """Send a request of python-gitlab's."""
        carrier = Headers(headers)
        auth(carrier)
        return self.client.request(
            method,
            url,
            params=request["params"],
            json=request["json"],
            data=data,
            headers=carrier.headers,
            timeout=timeout,
            stream=stream is True,
            beginning=0 if isinstance(stream, bool) else stream,
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
