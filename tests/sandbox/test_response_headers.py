"""Headers of responses: ETags, the counts of long lists, keyset pagination and rate limits."""

from __future__ import annotations

import re

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Label
from tests.sandbox.conftest import Api
from tests.support.seed import SEED

ISSUE = f"/projects/:p{SEED.crash_issue.path}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_that_the_client_has_is_not_sent_again(developer: Api, method: str) -> None:
    etag = developer.call("GET", ISSUE).headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', etag)
    again = developer.call(method, ISSUE, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    developer.put(ISSUE, title="Changed")
    assert developer.call(method, ISSUE, headers={"If-None-Match": etag}).status_code == 200


def test_a_list_of_more_than_10000_items_is_not_counted(sandbox: Sandbox, developer: Api) -> None:
    labels = sandbox.world.projects[sandbox.project_id].labels
    for number in range(10_000 - len(labels)):
        labels[f"label {number}"] = Label(1_000 + number, f"label {number}")
    counted = developer.call("GET", "/projects/:p/labels").headers
    assert (counted["x-total"], counted["x-total-pages"]) == ("10000", "500")
    labels["one more"] = Label(1, "one more")
    long = developer.call("GET", "/projects/:p/labels").headers
    assert "x-total" not in long
    assert "x-total-pages" not in long
    assert 'rel="last"' not in long["link"]
    assert 'rel="next"' in long["link"]
    assert long["x-next-page"] == "2"


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_projects_are_listed_by_keyset(developer: Api, sort: str) -> None:
    query = {"order_by": "id", "sort": sort}
    expected = [one["id"] for one in developer.get("/projects", **query)]
    url, seen = f"{developer.sandbox.url}/api/v4/projects?pagination=keyset&per_page=1&order_by=id&sort={sort}", []
    while url:
        response = developer.session.get(url, timeout=30)
        assert "x-page" not in response.headers
        seen += [one["id"] for one in response.json()]
        url = response.links.get("next", {}).get("url", "")
    assert seen == expected
    assert len(seen) > 1


def test_keyset_pagination_needs_the_order_by_id(developer: Api) -> None:
    expected = {"error": "Keyset pagination is not yet available for this type of request"}
    assert developer.refusal("GET", "/projects?pagination=keyset&order_by=name") == (405, expected)


def test_a_rate_limit_is_told_in_headers_and_enforced(sandbox: Sandbox, developer: Api, maintainer: Api) -> None:
    assert "ratelimit-limit" not in developer.call("GET", "/user").headers
    sandbox.faults.limit_rate(1)
    first = developer.call("GET", "/user")
    names = ("limit", "name", "observed", "remaining")
    assert [first.headers[f"ratelimit-{name}"] for name in names] == ["1", "throttle_authenticated_api", "1", "0"]
    assert maintainer.call("GET", "/user").status_code == 200
    # The minute may end between two requests, which begins a new count.
    second = next(
        response for response in (developer.call("GET", "/user") for _ in range(3)) if response.status_code == 429
    )
    assert second.text == "Retry later\n"
    assert 0 < int(second.headers["retry-after"]) <= 60
    assert second.headers["ratelimit-remaining"] == "0"
    assert int(second.headers["ratelimit-reset"]) % 60 == 0
    sandbox.faults.clear()
    assert developer.call("GET", "/user").status_code == 200
