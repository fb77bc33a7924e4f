"""Push options: those that GitLab knows, and the merge requests that a push creates or changes with them.

It follows Gitlab::PushOptions and MergeRequests::PushOptionsHandlerService, and MergeRequests::BuildService for the
default title and description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gitlab_mcp.sandbox.http import routing
from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import ApiError, bad_request
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.merge_requests import open_for
from gitlab_mcp.sandbox.state.model import MergeRequest, Project, is_draft
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World

Options = Mapping[str, list[str]]

CI_SKIP = "ci.skip"
_MERGE_REQUEST = "merge_request."
_KNOWN = {CI_SKIP} | {
    f"{_MERGE_REQUEST}{key}"
    for key in (
        "assign", "auto_merge", "create", "description", "draft", "label", "merge_when_pipeline_succeeds", "milestone",
        "remove_source_branch", "squash", "target", "target_project", "title", "unassign", "unlabel",
    )
}  # fmt: skip
_OPTION = re.compile(r"([^.]+)\.([^=]+)=?(.*)", re.DOTALL)
_MOST_BRANCHES = 10
_DENIED = "User access was denied"


def read(options: Sequence[str]) -> Options:
    """The values of each option that GitLab knows, "" for an option without a value; others are silently ignored."""
    values: dict[str, list[str]] = {}
    for option in options:
        if match := _OPTION.search(option):
            namespace, key, value = (part.strip() for part in match.groups())
            name = f"{'merge_request' if namespace == 'mr' else namespace}.{key}"
            if name in _KNOWN:
                values.setdefault(name, []).append(value)
    return values


def apply(world: World, project: Project, user: User, options: Options, pushed: Mapping[str, str]) -> list[str]:
    """Create or change the merge request of each branch as the options say; returns the error messages.

    `pushed` maps the branches that the push created or updated, except the default branch, to their new commits.
    """
    wanted = {
        name.removeprefix(_MERGE_REQUEST): values for name, values in options.items() if name.startswith(_MERGE_REQUEST)
    }
    return _Handler(world, project, user, wanted).run(pushed) if wanted else []


class _Handler:
    """Applies the options of one push."""

    def __init__(self, world: World, project: Project, user: User, options: Options) -> None:
        self.world = world
        self.project = project
        self.user = user
        self.options = options

    def run(self, pushed: Mapping[str, str]) -> list[str]:
        """Apply the options to every branch; returns the error messages."""
        errors = self._refusals(len(pushed))
        if errors:
            return errors
        for branch, head in pushed.items():
            try:
                self._apply(branch, head)
            except ApiError as error:
                errors += _messages(error)
        return errors

    def _refusals(self, branches: int) -> list[str]:
        """The errors that prevent the options from being applied to any branch."""
        target, wanted = self.project, self._value("target")
        if "target_project" in self.options:
            other = self.world.project_by_path(self._value("target_project"))
            if other is None or not permissions.may_read_code(self.user, other):
                return [_DENIED]
            target = other
        errors = []
        if target.settings.get("merge_requests_access_level") == "disabled":
            errors.append(f"Merge requests are not enabled for project {target.full_path}")
        if target is not self.project:
            errors.append(f"Projects {self.project.full_path} and {target.full_path} are not in the same network")
        if branches > _MOST_BRANCHES:
            errors.append(f"Too many branches pushed ({branches} were pushed, limit is {_MOST_BRANCHES})")
        if wanted and target.repository.branch(wanted) is None:
            errors.append(f"Target branch {target.full_path}:{wanted} does not exist")
        return errors

    def _apply(self, branch: str, head: str) -> None:
        merge_request = open_for(self.project, branch)
        if merge_request is not None:
            if params := self._params(merge_request):
                self._call("PUT", f"/{merge_request.iid}", params)
            self._set_auto_merge(branch)
        elif "create" in self.options:
            self._call("POST", "", self._creation_params(branch, head))
            self._set_auto_merge(branch)
        else:
            raise bad_request(
                [f"A merge_request.create push option is required to create a merge request for branch {branch}"]
            )

    def _creation_params(self, branch: str, head: str) -> dict[str, Any]:
        """The API parameters for creating a merge request."""
        repository = self.project.repository
        target = self._value("target") or repository.default_branch
        if target == branch:
            raise bad_request(["You must select different branches"])
        base = repository.branch(target)
        message = repository.commit(head).message.strip("\n")
        title, _, body = message.partition("\n")
        params = {"title": title.strip() or branch, "source_branch": branch, "target_branch": target}
        if base and repository.count(f"{base}..{head}") == 1 and body.strip():
            params["description"] = body.strip()
        return {**params, **self._params(None, params["title"])}

    def _params(self, merge_request: MergeRequest | None, title: str = "") -> dict[str, Any]:
        """The API parameters that the options stand for, for a merge request or for a new one with this title."""
        params: dict[str, Any] = {}
        for option, name in (("title", "title"), ("target", "target_branch")):
            if value := self._value(option):
                params[name] = value
        if "description" in self.options:
            # A push option cannot contain a newline, so GitLab takes a backslash and an n for one.
            params["description"] = self._text("description").replace("\\n", "\n")
        if self._flag("draft"):
            title = params.get("title") or (merge_request.title if merge_request else title)
            params["title"] = title if is_draft(title) else f"Draft: {title}"
        for option in ("squash", "remove_source_branch"):
            if option in self.options:
                params[option] = self._flag(option)
        for option, name in (("label", "add_labels"), ("unlabel", "remove_labels")):
            if option in self.options:
                params[name] = [label for label in self.options[option] if label]
        milestone = next((each for each in self.project.milestones if each.title == self._value("milestone")), None)
        if milestone is not None:
            params["milestone_id"] = milestone.id
        added, removed = self._people("assign"), self._people("unassign")
        if merge_request is not None:
            params |= {f"{kind}_assignee_ids": ids for kind, ids in (("add", added), ("remove", removed)) if ids}
        else:
            # A new merge request is assigned to its author by default.
            params["assignee_ids"] = added if added or removed else [self.user.id]
        return params

    def _people(self, option: str) -> list[int]:
        """The ids of the users that an option names, by username or id; unknown ones are left out."""
        if option not in self.options:
            return []
        self._text(option)
        found = (
            self.world.users.get(int(name)) if re.fullmatch(r"\d{1,18}", name) else self.world.user_by_name(name)
            for name in self.options[option]
        )
        return [user.id for user in found if user is not None]

    def _set_auto_merge(self, branch: str) -> None:
        """Set auto-merge as the options say, which GitLab does without a look at the pipeline (#merge_params)."""
        merge_request = open_for(self.project, branch)
        for option in ("merge_when_pipeline_succeeds", "auto_merge"):
            if merge_request is not None and option in self.options:
                merge_request.auto_merge = self._flag(option)
                merge_request.auto_merge_user = self.user if merge_request.auto_merge else None

    def _value(self, option: str) -> str:
        """The last value of an option, or ""."""
        return self.options.get(option, [""])[-1]

    def _text(self, option: str) -> str:
        """The last value of an option; raises 400 without one, where GitLab fails with an unknown error."""
        value = self._value(option)
        if not value:
            raise bad_request(["An unknown error occurred"])
        return value

    def _flag(self, option: str) -> bool:
        return option in self.options and self._value(option) not in ("false", "0")

    def _call(self, method: str, rest: str, params: dict[str, Any]) -> None:
        """Call the handler of a REST route; GitLab checks the user's permissions, not the scopes of the token."""
        address = f"/projects/{self.project.id}/merge_requests{rest}"
        match = routing.match(method, address)
        if match is None:
            raise LookupError(address)
        route, path = match
        route.handler(Call(self.world, method, address, {}, path, params, None, self.user, self.project))


def _messages(error: ApiError) -> list[str]:
    """The error messages of a REST response, as a model's full messages."""
    if error.status == 403:
        return [_DENIED]
    message = error.body.get("message") or error.body.get("error")
    if isinstance(message, dict):
        return [f"{field.capitalize()} {fault}" for field, faults in message.items() for fault in faults]
    return list(message) if isinstance(message, list) else [str(message)]
