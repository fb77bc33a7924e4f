"""What the sandbox answers when it refuses, in the shapes that GitLab uses."""

from __future__ import annotations

from typing import Any


class SandboxError(Exception):
    """The sandbox cannot be started; the message is for the person who started it."""


class ApiError(Exception):
    """An HTTP answer that ends a call: a status and a JSON body."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def not_found(what: str = "") -> ApiError:
    """`not_found!`: 404 Project Not Found, 404 Issue Not Found, ..."""
    return ApiError(404, {"message": f"404 {what} Not Found" if what else "404 Not Found"})


def unauthorized() -> ApiError:
    """The answer to a call without a user where one is needed, and to an unknown token."""
    return ApiError(401, {"message": "401 Unauthorized"})


def forbidden(reason: str = "") -> ApiError:
    """The user is known, but may not do this."""
    return ApiError(403, {"message": f"403 Forbidden - {reason}" if reason else "403 Forbidden"})


def bad_request(message: Any) -> ApiError:
    """`render_api_error!(message, 400)`: the message as it is, a text, a list or a hash by field."""
    return ApiError(400, {"message": message})


def bad_request_reason(reason: str) -> ApiError:
    """`bad_request!(reason)`, which GitLab prefixes with the status."""
    return ApiError(400, {"message": f"400 Bad request - {reason}"})


def invalid_parameter(message: str) -> ApiError:
    """A parameter that Grape refuses before GitLab's own code runs: `{"error": "title is missing"}`."""
    return ApiError(400, {"error": message})


def conflict(message: Any) -> ApiError:
    """409, with the message as it is."""
    return ApiError(409, {"message": message})


def not_allowed(message: str = "405 Method Not Allowed") -> ApiError:
    """405: the thing is there, but not in a state for this."""
    return ApiError(405, {"message": message})


def unprocessable(message: Any) -> ApiError:
    """422, with the message as it is."""
    return ApiError(422, {"message": message})
