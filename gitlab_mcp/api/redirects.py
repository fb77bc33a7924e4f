"""Redirects that lead away from the GitLab whose URL is configured: http to https, another name, port or folder.

A redirect within the API of this GitLab is another thing: GitLab answers so for a project that was renamed or moved.
Followed without its token, a read of the first kind would be answered as for anybody, or as if the token were wrong.
"""

import re
from urllib.parse import urljoin, urlsplit

from urllib3.util import parse_url

from gitlab_mcp.config.checkout import origin
from gitlab_mcp.errors import Unreachable
from gitlab_mcp.safety.sanitize import one_line

API = "/api/v4/"
URL_CHARACTERS = 300


def redirect_target(location: str, url: str) -> str:
    """The URL to which the header `location` of a response from `url` leads, without needless encoding."""
    # http.client decodes headers as Latin-1, and servers send UTF-8.
    return urljoin(url, _requoted(location.encode("latin-1").decode()))


def api_path(target: str) -> str:
    """The path of a URL as GitLab reads it: without dots, needless encoding and empty segments."""
    return re.sub("/+", "/", parse_url(_requoted(target)).path or "")


def _requoted(url: str) -> str:
    from requests.utils import requote_uri  # only here, because its import takes time at each start

    return requote_uri(url)


def check_address(target: str, url: str) -> None:
    """Raise Unreachable where a redirect to `target` says that the GitLab at `url` has another address.

    A redirect to a file elsewhere, such as in object storage, passes.
    """
    if not (address := _other_address(urljoin(f"{url}{API}", target), url)):
        return
    raise Unreachable(
        f"{url} redirects to {address}, where the token is not sent: set GITLAB_URL (or --url) to {address}."
        " Nothing was read or changed."
    )


def _other_address(target: str, url: str) -> str:
    """The URL of the GitLab to whose API, or to whose first page, `target` leads; "" where it is the one at `url`."""
    try:
        port = urlsplit(target).port
        folder, api, _ = api_path(target).partition(API)
        scheme, host, _ = there = origin(target)
    except ValueError:  # an invalid URL
        return ""
    if not api and (folder not in ("", "/") or there == origin(url)):
        return ""
    folder = folder.rstrip("/")
    if (there, folder) == (origin(url), urlsplit(url).path):
        return ""
    name = f"[{host}]" if ":" in host else host
    return one_line(f"{scheme}://{name}{f':{port}' if port else ''}{folder}", URL_CHARACTERS)
