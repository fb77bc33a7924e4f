"""The project that has the server in its package registry lets the jobs of this project read there."""

from functools import partial

from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.errors import Conflict
from gitlab_mcp.setup.origin import WheelInRegistry
from gitlab_mcp.setup.plan import InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import SetupContext, SetupStep, delete_once

ALLOW_LIST_PAGE = "Settings > CI/CD > Job token permissions > Authorized groups and projects"


class AllowListStep(SetupStep):
    """https://docs.gitlab.com/api/project_job_token_scopes/#create-a-project-in-a-cicd-job-token-allowlist"""

    id = "allow-list"

    def __init__(self, origin: WheelInRegistry) -> None:
        self._server = origin.project
        self._setting = f"{ALLOW_LIST_PAGE} of {origin.project}"

    def look(self, setup: SetupContext) -> Outcome:
        if self._server in (str(setup.facts.id), setup.facts.path):
            return InPlace(f"{self._setting}: a project's own jobs need no entry")
        if not setup.gitlab.get(self._path(setup)).flag("inbound_enabled"):
            return InPlace(f"{self._setting}: every project may read there")
        if self._is_listed(setup):
            return InPlace(f"{self._setting}: {setup.facts.path} is listed")
        return PlannedChange(
            self._setting, "jobs install the server from there", "absent", f"{setup.facts.path} is listed"
        )

    def apply(self, setup: SetupContext) -> None:
        setup.state.keep(self.id, server=self._server)
        send = partial(setup.gitlab.post, f"{self._path(setup)}/allowlist", {"target_project_id": setup.facts.id})
        try:
            write_once(lambda: bool(send()), lambda: self._is_listed(setup) or None, f"Look at {self._setting}.")
        except Conflict:
            if not self._is_listed(setup):
                raise

    def look_undo(self, setup: SetupContext) -> Outcome:
        if not setup.state.record(self.id) or not self._is_listed(setup):
            return InPlace(f"{self._setting}: setup added nothing")
        return PlannedChange(self._setting, "setup added it", f"{setup.facts.path} is listed", "absent")

    def undo(self, setup: SetupContext) -> None:
        path = f"{self._path(setup)}/allowlist/{setup.facts.id}"
        delete_once(setup, path, lambda: not self._is_listed(setup), self._setting)
        setup.state.forget(self.id)

    def _path(self, setup: SetupContext) -> str:
        """The API path of the list, for which GitLab takes the id of a project alone."""
        return f"/projects/{setup.gitlab.project(self._server).number('id')}/job_token_scope"

    def _is_listed(self, setup: SetupContext) -> bool:
        rows = setup.gitlab.every(f"{self._path(setup)}/allowlist")
        return any(row.number("id") == setup.facts.id for row in rows)
