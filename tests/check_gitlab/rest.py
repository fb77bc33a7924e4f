"""GitLab over plain HTTP: nothing of what this server makes of an answer is in between."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gitlab_mcp.api.client import segment
from gitlab_mcp.api.entity import Entity, entities
from gitlab_mcp.api.http import GitLabSession
from gitlab_mcp.config.settings import Settings
from tests.check_gitlab.report import NotTried

SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """An answer of GitLab's."""

    request: str
    status: int
    text: str

    @property
    def data(self) -> object:
        """The JSON of the body, None where it is none."""
        try:
            parsed: object = json.loads(self.text)
        except ValueError:
            return None
        return parsed

    @property
    def entity(self) -> Entity:
        """The object that was answered; an empty one for anything else."""
        return Entity(self.data)

    @property
    def rows(self) -> list[Entity]:
        """The objects of the list that was answered."""
        return list(entities(self.data))

    def __str__(self) -> str:
        return f"{self.request} was answered with {self.status} {self.text}"

    def needed(self) -> "Answer":
        """This answer, if it is a good one. Raises NotTried for any other: what builds on it cannot be tried."""
        if self.status // 100 != 2:
            raise NotTried(str(self))
        return self


class Rest:
    """REST of one project, with the headers that carry a token."""

    def __init__(self, settings: Settings, headers: Mapping[str, str]) -> None:
        self._session = GitLabSession(settings.ca_files, lambda _method, _url: None)
        self._url = f"{settings.url}/api/v4"
        self._headers = dict(headers)
        self.project = f"/projects/{segment(settings.project)}"

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send a request for a path below /api/v4; one that begins without a slash is below the project's.

        Raises NotTried where GitLab is busy or broken: that says nothing of a fact.
        """
        whole = path if path.startswith("/") else f"{self.project}/{path}".rstrip("/")
        answer = self._session.request(
            method,
            f"{self._url}{whole}",
            json=body,
            headers=self._headers,
            timeout=SECONDS,
            allow_redirects=False,
        )
        text = answer.content.decode("utf-8", "replace")
        found = Answer(f"{method} {whole.replace(self.project, '/projects/:id', 1)}", answer.status_code, text)
        if found.status >= 500 or found.status == 429:
            raise NotTried(str(found))
        return found

    def get(self, path: str) -> Answer:
        """GET."""
        return self.ask("GET", path)
