"""The names that a GitLab may have: the configured URL, the one that GitLab gives its pages (external_url), SSH's host.

Requests and the token go to the configured URL only. Links are understood under both names, and answers have the one
that GitLab gives, as its own `web_url` fields do.
"""

import re
from collections.abc import Iterable

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.checkout import host_of, project_of_remote


class Site:
    """The URL of GitLab's pages, learned from the first object that shows it; until then the configured one."""

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._own = ""
        self._ssh = ""

    @property
    def url(self) -> str:
        """The URL below which GitLab's pages are."""
        return self._own or self._configured

    @property
    def is_known(self) -> bool:
        """Whether GitLab has said under which name its pages are."""
        return bool(self._own)

    def learn(self, entity: Entity) -> None:
        """Take the name from a project, issue or merge request, whose URL ends in a path that the object shows too."""
        shown = entity.names()
        if "ssh_url_to_repo" in shown:
            self._ssh = host_of(entity.text("ssh_url_to_repo"))
        if self._own or "web_url" not in shown:
            return
        path = entity.text("path_with_namespace") if "path_with_namespace" in shown else ""
        if "references" in shown:
            path = re.split("[#!]", entity.text("references", "full"))[0]
        page = entity.url("web_url").split("/-/")[0]
        if path and page.lower().endswith(f"/{path.lower()}"):
            self._own = page[: -len(path) - 1]

    def project_of(self, url: str) -> str:
        """The path of the project in a URL of this GitLab, under either name; "" for another GitLab."""
        return self._project(url.split("/-/")[0], [self._configured, self._own])

    def project_of_origin(self, remote: str) -> str:
        """The path of the project that a git remote's URL names, under any name of this GitLab; "" for another one."""
        return self._project(remote, [self._configured, self._own, self._ssh and f"ssh://{self._ssh}"])

    def _project(self, remote: str, names: Iterable[str]) -> str:
        return next(filter(None, (project_of_remote(remote, name) for name in names if name)), "")
