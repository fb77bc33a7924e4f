"""`listen --check-config`: what GitLab says about the configuration, in plain sentences."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.identity import ROLES
from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound
from gitlab_mcp.mentions.listener.clients import Clients
from gitlab_mcp.mentions.listener.config import ROLE_LEVELS, ListenerConfig, Target
from gitlab_mcp.mentions.listener.pipeline_steps import configuration_declares_inputs

Found = Literal["ok", "note", "wrong"]

ONE_CHECK_SECONDS = 60.0
HOOK_PATH = "/webhook"
TOKEN_PREFIX = "glptt-"  # noqa: S105  # https://docs.gitlab.com/security/tokens/#token-prefixes
OTHERS_CHARACTERS = 4  # of a trigger token that belongs to another user: Ci::TriggerPresenter#token
SOURCE = (
    'ref = "source": whoever can push a branch decides what runs for a mention on its merge request, with the variables'
    " and secrets of this project."
)


class _Check:
    """The check of one project or group, which says what it finds."""

    def __init__(self, config: ListenerConfig, target: Target, clients: Clients, say: Callable[[str], None]) -> None:
        self._config, self._target, self._clients, self._say = config, target, clients, say
        self._gitlab: GitLab = clients.of(target.gitlab)
        self.is_right = True

    def run(self) -> None:
        """Check everything that GitLab shows to the listener's token."""
        self._say(f"{'Group' if self._target.is_group else 'Project'} {self._target.path}")
        if not self._target.project.enabled:
            self._tell("note", "It is switched off: enabled = false.")
        if self._target.ref == "source":
            self._tell("note", SOURCE)
        with self._reported("The access token"):
            self._check_token()
        with self._reported("The job's user"):
            self._check_job_user()
        with self._reported("The webhook"):
            self._check_hook()
        if self._target.is_group:
            self._tell(
                "note", "Role, trigger token and CI configuration are those of each project, when it is mentioned."
            )
            return
        with self._reported("The project"):
            self._check_project()

    def _tell(self, verdict: Found, text: str) -> None:
        self.is_right &= verdict != "wrong"
        self._say(f"  {verdict:6}{text}")

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Report a failure of a check, which does not end the others."""
        try:
            yield
        except GitLabRefusal as refused:
            if refused.status in (401, 403) and what != "The access token":
                self._tell(
                    "note", f"{what} cannot be checked: GitLab does not show it to this token ({refused.status})."
                )
            else:
                self._tell("wrong", f"{what}: {refused}")
        except (Failure, SettingsError) as failure:
            self._tell("wrong", f"{what}: {failure}")

    def _check_token(self) -> None:
        scopes = self._gitlab.get("/personal_access_tokens/self").texts("scopes")
        user = self._gitlab.user.text("username")
        if "api" in scopes:
            self._tell("ok", f"The access token is of {user}, with scope api.")
        else:
            self._tell("wrong", f"The access token of {user} has the scopes {', '.join(scopes)}: it needs api.")

    def _check_job_user(self) -> None:
        other = self._clients.job_user(self._target)
        if other:
            text = (
                f"The runs write as {self._target.job_user}: the listener reacts, and the run writes the tracking note."
            )
            self._tell("note", text)
        elif self._target.job_user:
            self._tell("ok", "The runs write as the same user.")
        else:
            self._tell(
                "note",
                "The runs are taken to write as the same user. Where GITLAB_ACCESS_TOKEN of the jobs is of another one,"
                " name it in job_user.",
            )

    def _check_hook(self) -> None:
        kind = "groups" if self._target.is_group else "projects"
        hooks = [
            hook
            for hook in self._gitlab.every(f"/{kind}/{segment(self._target.path)}/hooks")
            if hook.text("url").split("?")[0].endswith(HOOK_PATH)
        ]
        if not hooks:
            self._tell("wrong", f"No webhook has a URL that ends in {HOOK_PATH}: add one for comments.")
        for hook in hooks:
            self._check_one_hook(hook)

    def _check_one_hook(self, hook: Entity) -> None:
        name = f"Webhook {hook.number('id')}"
        if not hook.flag("note_events"):
            self._tell("wrong", f"{name} does not send comments: enable its trigger Comments.")
        if self._target.signing_token and not hook.flag("signing_token_present"):
            self._tell("wrong", f"{name} has no signing token: its deliveries are refused.")
        if (status := hook.text("alert_status")) not in ("", "executable"):
            self._tell(
                "wrong", f"{name} is {status.replace('_', ' ')}: GitLab stopped it after failures. Test it there."
            )
        if self._target.project.confidential and not hook.flag("confidential_note_events"):
            self._tell("wrong", f"{name} does not send confidential comments, which confidential = true is for.")
        wanted = {"label": ("issues_events",), "user": ("issues_events", "merge_requests_events")}
        for key, events in wanted.items():
            missing = [event for event in events if not hook.flag(event)]
            if getattr(self._target.project, key) and missing:
                self._tell("wrong", f"{name} does not send {' and '.join(missing)}, which the key {key} needs.")
        self._tell("ok", f"{name} is there.")

    def _check_project(self) -> None:
        project = self._gitlab.get(f"/projects/{segment(self._target.path)}")
        number = project.number("id")
        own = self._role(number, self._gitlab.user.number("id"))
        verdict: Found = "ok" if own >= ROLE_LEVELS["developer"] else "wrong"
        more = "" if verdict == "ok" else ": it needs Developer, or Maintainer to be checked here as a whole"
        self._tell(verdict, f"The listener's user has the role {ROLES.get(own, 'of nobody')}{more}.")
        owner = self._check_trigger(number)
        if self._clients.takes_inputs(self._target) and configuration_declares_inputs(
            self._gitlab, f"/projects/{number}", project, project.text("default_branch")
        ):
            self._tell("ok", "Pipelines are started by inputs, which .gitlab-ci.yml declares.")
            return
        minimum = project.text("ci_pipeline_variables_minimum_override_role")
        level = ROLE_LEVELS.get(minimum, 0)
        if minimum == "no_one_allowed" or (owner and level > owner):
            text = (
                f"Pipeline variables are allowed to {minimum.replace('_', ' ')}, and .gitlab-ci.yml declares no inputs."
            )
            self._tell("wrong", f"{text} Declare the inputs of docs/mentions.md.")
        else:
            self._tell("note", "Pipelines are started by variables: .gitlab-ci.yml does not declare the inputs.")

    def _check_trigger(self, project: int) -> int:
        """Say as whom the pipelines run; the access level of that user, 0 where it is not known."""
        token = self._config.trigger_token(self._target, project)
        shown = (token, token.removeprefix(TOKEN_PREFIX)[:OTHERS_CHARACTERS])
        found = [one for one in self._gitlab.every(f"/projects/{project}/triggers") if one.text("token") in shown]
        if not found:
            self._tell("wrong", "The project does not have this trigger token.")
            return 0
        owner = found[0].entity("owner")
        level = self._role(project, owner.number("id"))
        self._tell(
            "ok", f"The pipelines run as {owner.text('username')}, with the role {ROLES.get(level, 'of nobody')}."
        )
        return level

    def _role(self, project: int, user: int) -> int:
        try:
            return self._gitlab.get(f"/projects/{project}/members/all/{user}").number("access_level")
        except NotFound:
            return 0


def check(config: ListenerConfig, say: Callable[[str], None]) -> bool:
    """Say what GitLab says about each project and group; whether everything that must be is there."""
    clients, is_right = Clients(), True
    for target in config.targets:
        one = _Check(config, target, clients, say)
        with limited(ONE_CHECK_SECONDS):
            one.run()
        is_right &= one.is_right
    say("The configuration works." if is_right else "The configuration does not work yet: see the lines with wrong.")
    return is_right
