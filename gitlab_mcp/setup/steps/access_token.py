"""The access token of runs, with which they comment, in the variable GITLAB_ACCESS_TOKEN."""

import re
from contextlib import suppress
from datetime import date, timedelta

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.retry import wait_to_retry
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal
from gitlab_mcp.setup.options import GIVEN_TOKEN, RUN_TOKEN
from gitlab_mcp.setup.plan import Blocked, InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext, SetupStep, delete_once
from gitlab_mcp.setup.steps.variables import (
    VARIABLES_PAGE,
    create_variable,
    delete_variable,
    find_variable,
    form,
    look_undo_variable,
    update_variable,
)

TOKENS_PAGE = "Settings > Access tokens"
TOKEN_ROLE = 30
# Comments of runs show it. Before GitLab 17.7 tokens had no description, so that the name has to tell them from others.
NAME, MARKED_NAME = "Claude", "Claude (gitlab-mcp-server setup)"
LISTENER_SECRET = "access_token"  # noqa: S105  # the name of a key
PURPOSE = "runs comment and reply with it, in the name of a user of its own"


class AccessTokenStep(SetupStep):
    """https://docs.gitlab.com/api/project_access_tokens/

    GitLab shows the value of a token once. One whose value was lost before it was in the variable is revoked, and
    another one created.
    """

    id = "access-token"

    def look(self, setup: SetupContext) -> Outcome:
        variable = find_variable(setup, RUN_TOKEN)
        listener_lacks_it = bool(setup.options.listener_url) and not setup.listener.secret(LISTENER_SECRET)
        in_place = InPlace(f"{VARIABLES_PAGE} > {RUN_TOKEN}: set")
        if setup.secrets.has(GIVEN_TOKEN):
            if variable and not listener_lacks_it:
                return in_place
            after = f"the token in {GIVEN_TOKEN}{_and_listener(setup)}, {form(setup)}"
            return PlannedChange(f"{VARIABLES_PAGE} > {RUN_TOKEN}", PURPOSE, "set" if variable else "absent", after)
        try:
            tokens = _own_tokens(setup)
        except GitLabRefusal as refused:
            if variable and not listener_lacks_it:
                return in_place
            return _not_available(f"this project has no access tokens ({refused.reason or refused.status})")
        number = _token_in(variable) if variable else 0
        if variable and not number:  # of somebody else's, whose value nobody can read
            return _not_available(f"{RUN_TOKEN} is set already, and cannot be read") if listener_lacks_it else in_place
        lost = [token for token in tokens if token.number("id") != number]
        if variable and len(tokens) == 1 and not lost and not listener_lacks_it:
            return in_place
        before = "absent"
        if variable:
            before = (
                "its value is not in listen.env" if len(tokens) > len(lost) else "a token that is revoked or expired"
            )
        if lost:
            before += f"; {len(lost)} without a known value, revoked now"
        after = f'"{NAME}", role Developer, scope api, until {_expires(setup)}, as {RUN_TOKEN}{_and_listener(setup)}'
        return PlannedChange(f"{TOKENS_PAGE} > Add new token", PURPOSE, before, f"{after}, {form(setup)}")

    def apply(self, setup: SetupContext) -> None:
        setup.state.keep(self.id, made=True)
        if setup.secrets.has(GIVEN_TOKEN):
            value = setup.secrets.get(GIVEN_TOKEN)
            _keep_for_listener(setup, value)
            if not find_variable(setup, RUN_TOKEN):
                create_variable(setup, RUN_TOKEN, value)
            return
        variable = find_variable(setup, RUN_TOKEN)
        number = _token_in(variable) if variable else 0
        is_active = any(token.number("id") == number for token in _own_tokens(setup))
        if not is_active or (setup.options.listener_url and not setup.listener.secret(LISTENER_SECRET)):
            number = _renew(setup)
        for token in _own_tokens(setup):
            if token.number("id") != number:
                _revoke(setup, token)

    def look_undo(self, setup: SetupContext) -> Outcome:
        try:
            tokens = _own_tokens(setup)
        except GitLabRefusal:
            tokens = []
        variable = look_undo_variable(setup, RUN_TOKEN, self.id)
        if tokens:
            names = ", ".join(f"{token.text('name')} ({token.number('id')})" for token in tokens)
            return PlannedChange(
                f"{TOKENS_PAGE} > {names}", "setup made it", "active", f"revoked, and {RUN_TOKEN} deleted"
            )
        return variable

    def undo(self, setup: SetupContext) -> None:
        if isinstance(look_undo_variable(setup, RUN_TOKEN, self.id), PlannedChange):
            delete_variable(setup, RUN_TOKEN)
        with suppress(GitLabRefusal):
            for token in _own_tokens(setup):
                _revoke(setup, token)
        setup.state.forget(self.id)


def _not_available(reason: str) -> Blocked:
    return Blocked(
        f"{TOKENS_PAGE}: {reason}; on GitLab.com they need Premium",
        f"Create a token with scope api for a user with role Developer, export it as {GIVEN_TOKEN}, and run setup"
        " again; or pass --no-access-token, and runs cannot comment.",
    )


def _keep_for_listener(setup: SetupContext, value: str) -> None:
    if setup.options.listener_url:
        setup.listener.keep(LISTENER_SECRET, value)


def _and_listener(setup: SetupContext) -> str:
    return f" and in {setup.listener.secrets}" if setup.options.listener_url else ""


def _own_tokens(setup: SetupContext) -> list[Entity]:
    """The active tokens that setup made."""
    rows = setup.gitlab.every(f"{setup.project.path}/access_tokens", state="active")
    return [
        row
        for row in rows
        if row.flag("active")
        and not row.flag("revoked")
        and (row.text("description") == MADE_BY_SETUP or row.text("name") == MARKED_NAME)
    ]


def _renew(setup: SetupContext) -> int:
    """Create a token and store it; its id."""
    made = _create(setup)
    number = made.number("id")
    try:
        _keep_for_listener(setup, made.text("token"))
        _put(setup, made.text("token"), number)
    except Failure:
        with suppress(Failure):  # the next run revokes it
            _revoke(setup, made)
        raise
    return number


def _create(setup: SetupContext) -> Entity:
    """A new token with its value. One whose response was lost is of no use."""
    body = {
        "name": NAME if setup.facts.is_at_least(17, 7) else MARKED_NAME,
        "description": MADE_BY_SETUP,
        "scopes": ["api"],
        "access_level": TOKEN_ROLE,
        "expires_at": _expires(setup),
    }
    attempt = 0
    while True:
        attempt += 1
        try:
            made = setup.gitlab.post(f"{setup.project.path}/access_tokens", body)
            if not made.text("token"):
                raise AnswerLost("GitLab did not show the value of the token that it created.")
        except Failure as failure:
            wait_to_retry(current_call.get(), attempt, failure)
            continue
        setup.secrets.add(RUN_TOKEN, made.text("token"))
        return made


def _revoke(setup: SetupContext, token: Entity) -> None:
    number = token.number("id")

    def is_gone() -> bool:
        return all(own.number("id") != number for own in _own_tokens(setup))

    delete_once(setup, f"{setup.project.path}/access_tokens/{number}", is_gone, TOKENS_PAGE)


def _put(setup: SetupContext, value: str, number: int) -> None:
    """Set the variable. Its description names the token, so that a later run knows whether it has its value."""
    description = f"{MADE_BY_SETUP} Token {number}."
    if find_variable(setup, RUN_TOKEN):
        update_variable(setup, RUN_TOKEN, value, description)
    else:
        create_variable(setup, RUN_TOKEN, value, description)


def _token_in(variable: Entity) -> int:
    """The id of the token whose value a variable has; 0 where setup did not create it."""
    match = re.fullmatch(rf"{re.escape(MADE_BY_SETUP)} Token (\d{{1,18}})\.", variable.text("description"))
    return int(match[1]) if match else 0


def _expires(setup: SetupContext) -> str:
    return (date.today() + timedelta(days=setup.options.token_days)).isoformat()  # noqa: DTZ011  # the person's day
