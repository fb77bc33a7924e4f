"""Error responses, in the shapes that GitLab uses."""

from __future__ import annotations

from typing import Any


class SandboxError(Exception):
    """The sandbox cannot be started; the message is for whoever started it."""


class ApiError(Exception):
    """An error response that ends a call: a status, a JSON body and headers."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def not_found(what: str = "") -> ApiError:
    """`not_found!`: 404 Project Not Found, 404 Issue Not Found, ..."""
    return ApiError(404, {"message": f"404 {what} Not Found" if what else "404 Not Found"})


def unauthorized() -> ApiError:
    """401, for an anonymous call where a user is needed and for an unknown token."""
    return ApiError(401, {"message": "401 Unauthorized"})


def forbidden(reason: str = "") -> ApiError:
    """403, for a user who lacks the permission."""
    return ApiError(403, {"message": f"403 Forbidden - {reason}" if reason else "403 Forbidden"})


def bad_request(message: Any) -> ApiError:
    """`render_api_error!(message, 400)`: with the message unchanged: a string, a list, or a dict by field."""
    return ApiError(400, {"message": message})


def bad_request_reason(reason: str) -> ApiError:
    """`bad_request!(reason)`, which GitLab prefixes with the status."""
    return ApiError(400, {"message": f"400 Bad request - {reason}"})


def invalid_parameter(message: str) -> ApiError:
    """400 as Grape sends it, before GitLab's own code runs: `{"error": "title is missing"}`."""
    return ApiError(400, {"error": message})


def not_implemented(what: str) -> ApiError:
    """501, which GitLab never sends: what the sandbox does not implement, it does not answer wrongly."""
    return ApiError(501, {"message": f"501 Not Implemented: {what} is not part of the sandbox"})


def conflict(message: Any) -> ApiError:
    """409, with the message unchanged."""
    return ApiError(409, {"message": message})


def not_allowed(message: str = "405 Method Not Allowed") -> ApiError:
    """405, for something that exists but whose state does not allow this."""
    return ApiError(405, {"message": message})


def unprocessable(message: Any) -> ApiError:
    """422, with the message unchanged."""
    return ApiError(422, {"message": message})
