"""Push options: which ones GitLab knows, and the merge requests that a push opens or changes with them.

As GitLab's Gitlab::PushOptions and MergeRequests::PushOptionsHandlerService do it, and for the words of a merge request
that was given none, MergeRequests::BuildService.
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


def read(given: Sequence[str]) -> Options:
    """The values of each option that GitLab knows, "" for one without; it drops the others silently."""
    found: dict[str, list[str]] = {}
    for option in given:
        if match := _OPTION.search(option):
            namespace, key, value = (part.strip() for part in match.groups())
            name = f"{'merge_request' if namespace == 'mr' else namespace}.{key}"
            if name in _KNOWN:
                found.setdefault(name, []).append(value)
    return found


def follow(world: World, project: Project, user: User, options: Options, pushed: Mapping[str, str]) -> list[str]:
    """Open or change the merge request of each branch as the options say; returns what could not be done.

    `pushed` are the branches that a push moved or made, but for the default one, with their newest commits.
    """
    wanted = {
        name.removeprefix(_MERGE_REQUEST): values for name, values in options.items() if name.startswith(_MERGE_REQUEST)
    }
    return _Handler(world, project, user, wanted).run(pushed) if wanted else []


class _Handler:
    """The options of one push at work."""

    def __init__(self, world: World, project: Project, user: User, options: Options) -> None:
        self.world = world
        self.project = project
        self.user = user
        self.options = options

    def run(self, pushed: Mapping[str, str]) -> list[str]:
        """Do what is asked for; returns the errors."""
        errors = self._faults(len(pushed))
        if errors:
            return errors
        for branch, head in pushed.items():
            try:
                self._follow(branch, head)
            except ApiError as refused:
                errors += _messages(refused)
        return errors

    def _faults(self, branches: int) -> list[str]:
        """What keeps the options from being looked at for any branch."""
        target, wanted = self.project, self._value("target")
        if "target_project" in self.options:
            named = self.world.project_by_path(self._value("target_project"))
            if named is None or not permissions.may_read_code(self.user, named):
                return [_DENIED]
            target = named
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

    def _follow(self, branch: str, head: str) -> None:
        one = open_for(self.project, branch)
        if one is not None:
            if params := self._params(one):
                self._call("PUT", f"/{one.iid}", params)
        elif "create" in self.options:
            self._call("POST", "", self._new(branch, head))
        else:
            raise bad_request(
                [f"A merge_request.create push option is required to create a merge request for branch {branch}"]
            )

    def _new(self, branch: str, head: str) -> dict[str, Any]:
        """The parameters of a merge request that is to be opened."""
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

    def _params(self, one: MergeRequest | None, title: str = "") -> dict[str, Any]:
        """The parameters that the options stand for, for a merge request or (without) one that is to be opened."""
        params: dict[str, Any] = {}
        for option, name in (("title", "title"), ("target", "target_branch")):
            if value := self._value(option):
                params[name] = value
        if "description" in self.options:
            # The two characters of an escape: a push option cannot hold a newline.
            params["description"] = self._needed("description").replace("\\n", "\n")
        if self._flag("draft"):
            title = params.get("title") or (one.title if one else title)
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
        if (assignees := self._assignees(one)) is not None:
            params["assignee_ids"] = [user.id for user in assignees]
        return params

    def _assignees(self, one: MergeRequest | None) -> list[User] | None:
        """Who is to be assigned, or None if that stays as it is; a new one is its author's if nobody is named."""
        added, removed = self._people("assign"), self._people("unassign")
        if not added and not removed:
            return None if one else [self.user]
        wanted = dict.fromkeys([*(one.assignees if one else ()), *added])
        return [user for user in wanted if user not in removed]

    def _people(self, option: str) -> list[User]:
        """The people whom an option names, by user name or number; unknown ones are left out."""
        if option not in self.options:
            return []
        self._needed(option)
        found = (
            self.world.users.get(int(name)) if re.fullmatch(r"\d{1,18}", name) else self.world.user_by_name(name)
            for name in self.options[option]
        )
        return [user for user in found if user is not None]

    def _value(self, option: str) -> str:
        """The value that was given last, "" if there is none."""
        return self.options.get(option, [""])[-1]

    def _needed(self, option: str) -> str:
        """The same of an option whose value GitLab takes for a text without looking."""
        value = self._value(option)
        if not value:
            raise bad_request(["An unknown error occurred"])
        return value

    def _flag(self, option: str) -> bool:
        return option in self.options and self._value(option) not in ("false", "0")

    def _call(self, method: str, rest: str, params: dict[str, Any]) -> None:
        """Do what the REST call would; GitLab asks for the user's rights and not for those of the token that pushed."""
        address = f"/projects/{self.project.id}/merge_requests{rest}"
        found = routing.match(method, address)
        if found is None:
            raise LookupError(address)
        route, path = found
        route.handler(Call(self.world, method, address, {}, path, params, None, self.user, self.project))


def _messages(refused: ApiError) -> list[str]:
    """What REST would answer, in the words of a model's errors."""
    if refused.status == 403:
        return [_DENIED]
    message = refused.body.get("message") or refused.body.get("error")
    if isinstance(message, dict):
        return [f"{field.capitalize()} {fault}" for field, faults in message.items() for fault in faults]
    return list(message) if isinstance(message, list) else [str(message)]
