"""Files uploaded to the sandbox past the server, as people attach them."""

import json
import urllib.request
from urllib.parse import quote

from urllib3 import encode_multipart_formdata

from gitlab_mcp.sandbox import Sandbox


def upload(sandbox: Sandbox, name: str, content: bytes, who: str = "developer", project: str = "") -> str:
    """The address /uploads/SECRET/name of a file that one of the people uploads."""
    url = f"{sandbox.url}/api/v4/projects/{quote(project or sandbox.project, safe='')}/uploads"
    body, content_type = encode_multipart_formdata({"file": (name, content)})
    headers = {"PRIVATE-TOKEN": sandbox.tokens[who], "content-type": content_type}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  # the sandbox's
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # the sandbox's
        return str(json.load(answer)["url"])
