"""Forms as request bodies, multipart and urlencoded, wherever GitLab takes JSON: its docs use `curl --form`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Api
from tests.support.seed import SEED


def multipart(fields: list[tuple[str, str]]) -> dict[str, Any]:
    return {"files": [(name, (None, value)) for name, value in fields]}


def urlencoded(fields: list[tuple[str, str]]) -> dict[str, Any]:
    return {"data": fields}


BOTH = pytest.mark.parametrize("encode", [multipart, urlencoded], ids=["multipart", "urlencoded"])


@BOTH
def test_an_issue_is_created_from_a_form(developer: Api, encode: Any) -> None:
    fields = [("title", "Größe & mehr"), ("labels", "bug,p2"), ("assignee_ids[]", "3"), ("due_date", "2030-01-31")]
    response = developer.call("POST", "/projects/:p/issues", **encode(fields))
    assert response.status_code == 201, response.text
    issue = response.json()
    assert (issue["title"], issue["labels"], issue["due_date"]) == ("Größe & mehr", ["bug", "p2"], "2030-01-31")
    assert [user["username"] for user in issue["assignees"]] == ["developer"]


@BOTH
def test_a_put_takes_a_form(developer: Api, encode: Any) -> None:
    path = f"/projects/:p{SEED.crash_issue.path}"
    assert developer.call("PUT", path, **encode([("title", "Crash"), ("add_labels", "docs")])).status_code == 200
    issue = developer.get(path)
    assert issue["title"] == "Crash"
    assert "docs" in issue["labels"]


@BOTH
def test_a_thread_on_a_range_of_lines_is_created_from_a_form(developer: Api, encode: Any) -> None:
    path = f"/projects/:p{SEED.merge_request.path}"
    (position,) = [
        note["position"]
        for note in developer.get(f"{path}/notes", per_page=100)
        if note["id"] == SEED.review_notes.stderr
    ]
    code = f"{'0' * 40}_0_{position['new_line']}"
    fields = [
        ("body", "A range"),
        *((f"position[{name}]", str(position[name])) for name in ("base_sha", "start_sha", "head_sha")),
        ("position[position_type]", "text"),
        ("position[new_path]", position["new_path"]),
        ("position[old_path]", position["old_path"]),
        ("position[new_line]", str(position["new_line"])),
    ]
    single = developer.call("POST", f"{path}/discussions", **encode(fields))
    assert single.status_code == 201, single.text
    assert single.json()["notes"][0]["position"]["new_line"] == position["new_line"]
    wrong = [*fields, ("position[line_range][start][line_code]", code), ("position[line_range][start][type]", "new")]
    refused = developer.call("POST", f"{path}/discussions", **encode(wrong))
    assert "line_code" in refused.json()["message"]


@BOTH
def test_a_commit_with_several_actions_is_created_from_a_form(developer: Api, encode: Any) -> None:
    fields = [("branch", "from-form"), ("start_branch", "main"), ("commit_message", "Two files")]
    for name in ("one.txt", "two.txt"):
        fields += [("actions[][action]", "create"), ("actions[][file_path]", name), ("actions[][content]", f"{name}\n")]
    response = developer.call("POST", "/projects/:p/repository/commits", **encode(fields))
    assert response.status_code == 201, response.text
    assert [
        one["new_path"] for one in developer.get(f"/projects/:p/repository/commits/{response.json()['id']}/diff")
    ] == [
        "one.txt",
        "two.txt",
    ]


def test_a_file_where_text_is_expected_is_refused(developer: Api) -> None:
    response = developer.call("POST", "/projects/:p/issues", files={"title": ("title.txt", b"A title")})
    assert (response.status_code, response.json()) == (400, {"error": "title is invalid"})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data", b"--x\r\n", id="no boundary"),
        pytest.param("multipart/form-data; boundary=x", b"no form at all", id="no form"),
        pytest.param(
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--x--\r\n',
            id="not UTF-8",
        ),
        pytest.param("application/x-www-form-urlencoded", b"title=a&title[b]=c", id="two shapes"),
    ],
)
def test_a_broken_form_is_a_bad_request(developer: Api, content_type: str, body: bytes) -> None:
    response = developer.call("POST", "/projects/:p/issues", data=body, headers={"content-type": content_type})
    assert response.status_code == 400, response.text
    assert "error" in response.json()


def test_a_body_of_another_type_is_not_supported(developer: Api) -> None:
    response = developer.call("POST", "/projects/:p/issues", data=b"<a/>", headers={"content-type": "application/xml"})
    expected = {"error": "The provided content-type 'application/xml' is not supported."}
    assert (response.status_code, response.json()) == (415, expected)
