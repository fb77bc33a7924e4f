"""Users, personal access tokens and project members."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from gitlab_mcp.sandbox.state.model import Project, Token
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


def stamp(moment: datetime | None) -> str | None:
    """A time as GitLab writes it: UTC, milliseconds, Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z" if moment else None


def day(value: date | None) -> str | None:
    """A date as GitLab writes it."""
    return value.isoformat() if value else None


def user_basic(world: World, user: User) -> dict[str, Any]:
    """UserBasic."""
    return {
        "id": user.id,
        "username": user.username,
        "public_email": "",
        "name": user.name,
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{world.url}/{user.username}",
    }


def maybe_user(world: World, user: User | None) -> dict[str, Any] | None:
    """UserBasic, or null."""
    return user_basic(world, user) if user else None


def user_full(world: World, user: User) -> dict[str, Any]:
    """User, for GET /users/:id."""
    return {
        **user_basic(world, user),
        "created_at": stamp(user.created_at),
        "bio": "",
        "location": "",
        "linkedin": "",
        "twitter": "",
        "discord": "",
        "website_url": "",
        "github": "",
        "job_title": "",
        "pronouns": None,
        "organization": "",
        "bot": user.bot,
        "work_information": None,
        "local_time": None,
        "is_followed": False,
    }


def user_public(world: World, user: User) -> dict[str, Any]:
    """UserPublic, for GET /user."""
    whole = user_full(world, user)
    del whole["is_followed"]
    return {
        **whole,
        "last_sign_in_at": stamp(user.created_at),
        "confirmed_at": stamp(user.created_at),
        "last_activity_on": day(world.now().date()),
        "email": user.email,
        "theme_id": 3,
        "color_scheme_id": 1,
        "projects_limit": 100_000,
        "current_sign_in_at": stamp(user.created_at),
        "identities": [],
        "can_create_group": True,
        "can_create_project": True,
        "two_factor_enabled": False,
        "external": False,
        "private_profile": False,
        "commit_email": user.email,
        "preferred_language": "en",
        "shared_runners_minutes_limit": None,
        "extra_shared_runners_minutes_limit": None,
        "scim_identities": [],
    }


def personal_access_token(token: Token, today: date) -> dict[str, Any]:
    """PersonalAccessTokenWithLastUsedIps."""
    spent = token.revoked or (token.expires_at is not None and token.expires_at <= today)
    return {
        "id": token.id,
        "name": token.name,
        "revoked": token.revoked,
        "created_at": stamp(token.created_at),
        "description": token.description,
        "scopes": list(token.scopes),
        "user_id": token.user.id,
        "last_used_at": stamp(token.last_used_at),
        "active": not spent,
        "granular": False,
        "expires_at": day(token.expires_at),
        "last_used_ips": ["127.0.0.1"],
    }


def member(world: World, project: Project, user: User) -> dict[str, Any]:
    """Member."""
    return {
        **user_basic(world, user),
        "access_level": project.members[user],
        "created_at": stamp(project.created_at),
        "created_by": user_basic(world, project.creator),
        "expires_at": None,
        "membership_state": "active",
    }
