"""GitLab's offset pagination: pages of a list, with the headers that describe them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gitlab_mcp.sandbox.http.call import Call, Identified, Response
from gitlab_mcp.sandbox.http.errors import ApiError, invalid_parameter

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100

# GitLab docs, REST API pagination: a longer list is not counted.
MAX_COUNTED = 10_000

T = TypeVar("T")


def page_of(call: Call) -> tuple[int, int]:
    """The (page, per_page) of a call; raises Grape's 400 for a value that is not a number."""
    page = _number(call, "page", 1)
    per_page = _number(call, "per_page", DEFAULT_PER_PAGE)
    if per_page == 0:
        raise invalid_parameter("per_page has a value not allowed")
    return max(page, 1), min(max(per_page, 1), MAX_PER_PAGE)


def _number(call: Call, name: str, default: int) -> int:
    value = str(call.query.get(name, "") or default)
    if not re.fullmatch(r"-?\d{1,12}", value):
        raise invalid_parameter(f"{name} is invalid")
    return int(value)


def paginate(call: Call, items: Sequence[T], present: Callable[[T], Any], *, total: bool = True) -> Response:
    """The requested page of a list as a response, with each item presented by `present`, and GitLab's headers.

    GitLab docs, REST API pagination: x-total, x-total-pages and the last link are left out where counting is
    expensive, as for commits (`total=False`).
    """
    page, per_page = page_of(call)
    rows = items[(page - 1) * per_page : page * per_page]
    pages = max(-(-len(items) // per_page), 1)
    following = page + 1 if page < pages else None
    headers = {
        "x-page": str(page),
        "x-per-page": str(per_page),
        "x-next-page": str(following or ""),
        "x-prev-page": str(page - 1) if page > 1 else "",
    }
    links = [("prev", page - 1)] if page > 1 else []
    links += [("next", following)] if following else []
    links.append(("first", 1))
    if total and len(items) <= MAX_COUNTED:
        headers |= {"x-total": str(len(items)), "x-total-pages": str(pages)}
        links.append(("last", pages))
    headers["link"] = ", ".join(f'<{call.page_url(number, per_page)}>; rel="{name}"' for name, number in links)
    return Response([present(item) for item in rows], headers=headers)


def paginate_by_id(call: Call, items: Sequence[Identified], present: Callable[[Identified], Any]) -> Response:
    """A page of a list that is sorted by id, as GitLab's keyset pagination: its only link is to the next page.

    The link has the id after or before which the next page begins (Gitlab::Pagination::Keyset::Pager), and a page that
    is not full has none. Raises 405 for another order.
    """
    if call.get("order_by") != "id":
        raise ApiError(405, {"error": "Keyset pagination is not yet available for this type of request"})
    _, per_page = page_of(call)
    rows = items[:per_page]
    headers = {}
    if len(rows) == per_page:
        bound = "id_after" if call.get("sort") == "asc" else "id_before"
        headers["link"] = f'<{call.list_url(per_page=per_page, **{bound: rows[-1].id})}>; rel="next"'
    return Response([present(item) for item in rows], headers=headers)
