"""Four users, from a maintainer to a stranger, and tokens of every kind."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.users import DEVELOPER, OWNER, REPORTER, User
from gitlab_mcp.sandbox.state.world import World

_JOINED = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
GROUP = "acme"


def populate(world: World) -> dict[str, str]:
    """Create the users and their tokens; returns the tokens by name."""
    world.group_id(GROUP)
    for username in ("maintainer", "developer", "reporter", "stranger"):
        world.add_user(username, username.title(), _JOINED)
    maintainer = person(world, "maintainer")
    tokens: dict[str, str] = {}

    def add(name: str, user: User, *scopes: str, expires_at: date | None = None, revoked: bool = False) -> None:
        # Tokens are new at each start: other users of this machine can reach the port, and must not be able to read a
        # copied repository.
        tokens[name] = f"glpat-{secrets.token_urlsafe(15)}"
        until = expires_at or date(2099, 12, 31)
        world.add_token(tokens[name], name, user, scopes, expires_at=until, revoked=revoked, created_at=_JOINED)

    for username in ("maintainer", "developer", "reporter", "stranger"):
        add(username, person(world, username), "api")
    add("read_api", maintainer, "read_api")
    add("read_repository", maintainer, "read_repository")
    add("write_repository", person(world, "developer"), "write_repository")
    add("read_user", maintainer, "read_user")
    add("expired", maintainer, "api", expires_at=date(2025, 12, 31))
    add("revoked", maintainer, "api", revoked=True)
    # The token of a Duo flow, which is an OAuth token and so has no prefix.
    tokens["flow"] = secrets.token_hex(32)
    world.add_token(
        tokens["flow"], "flow", person(world, "developer"), ("ai_workflows",), kind="oauth", created_at=_JOINED
    )
    return tokens


def person(world: World, username: str) -> User:
    """A seed user; raises LookupError for an unknown username."""
    user = world.user_by_name(username)
    if user is None:
        raise LookupError(username)
    return user


def add_members(world: World, project: Project) -> None:
    """Make the seed users members of a project; the stranger is not one."""
    for username, level in (("maintainer", OWNER), ("developer", DEVELOPER), ("reporter", REPORTER)):
        project.members[person(world, username)] = level
