"""Uploaded files (lib/api/markdown_uploads.rb) and subscriptions (lib/api/subscriptions.rb)."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED, SeededItem

UPLOADS = "/projects/:p/uploads"


@pytest.mark.parametrize(
    ("name", "stored", "alt", "embedded"),
    [
        ("trace.log", "trace.log", "trace.log", False),
        ("Screen shot.png", "Screen_shot.png", "Screen_shot", True),
        ("../../etc/pass wd", "pass_wd", "pass_wd", False),
        ("größe.JPG", "größe.JPG", "größe", True),
    ],
    ids=["text", "image", "path", "umlaut"],
)
def test_a_file_is_uploaded_and_read_by_its_secret(
    people: People, name: str, stored: str, alt: str, embedded: bool
) -> None:
    content = bytes(range(256))
    response = people["reporter"].call("POST", UPLOADS, files={"file": (name, content)})
    assert response.status_code == 201, response.text
    upload = response.json()
    assert upload["url"].endswith(f"/{stored}")
    assert upload["markdown"] == f"{'!' if embedded else ''}[{alt}]({upload['url']})"
    assert upload["full_path"] == f"/-/project/1{upload['url']}"
    read = people["stranger"].call("GET", f"/projects/:p{upload['url']}")
    assert (read.status_code, read.content) == (200, content)
    assert people["stranger"].call("GET", f"/projects/:p{upload['url']}x").status_code == 404


def test_only_maintainers_list_and_delete_uploads(people: People) -> None:
    maintainer, developer = people["maintainer"], people["developer"]
    urls = [developer.call("POST", UPLOADS, files={"file": (name, b"x")}).json()["url"] for name in ("a.txt", "b.txt")]
    assert developer.refusal("GET", UPLOADS) == (403, {"message": "403 Forbidden"})
    seeded, *_ = maintainer.get(UPLOADS)[::-1]
    listed = maintainer.get(UPLOADS)[:-1]
    assert [(one["filename"], one["size"], one["uploaded_by"]["username"]) for one in listed] == [
        ("b.txt", 1, "developer"),
        ("a.txt", 1, "developer"),
    ]
    assert maintainer.call("GET", f"{UPLOADS}/{listed[0]['id']}").content == b"x"
    assert developer.call("DELETE", f"/projects/:p{urls[0]}").status_code == 403
    assert maintainer.call("DELETE", f"/projects/:p{urls[0]}").status_code == 204
    assert maintainer.call("DELETE", f"{UPLOADS}/{listed[0]['id']}").status_code == 204
    assert maintainer.get(UPLOADS) == [seeded]


@pytest.mark.parametrize(
    ("body", "error"), [({}, "file is missing"), ({"file": "text"}, "file is invalid")], ids=["none", "text"]
)
def test_an_upload_without_a_file_is_refused(developer: Api, body: dict[str, str], error: str) -> None:
    assert developer.refusal("POST", UPLOADS, **body, other="1") == (400, {"error": error})


@pytest.mark.parametrize("target", [SEED.crash_issue, SEED.merge_request], ids=["issue", "merge request"])
def test_participants_are_subscribed_until_they_leave(people: People, target: SeededItem) -> None:
    path = f"/projects/:p{target.path}"
    developer = people["developer"]
    assert developer.get(path)["subscribed"] is True
    assert developer.call("POST", f"{path}/subscribe").status_code == 304
    assert developer.post(f"{path}/unsubscribe")["subscribed"] is False
    developer.post(f"{path}/notes", body="A participant who has left")
    assert developer.get(path)["subscribed"] is False
    assert developer.call("POST", f"{path}/unsubscribe").status_code == 304


def test_who_does_not_take_part_can_subscribe_to_an_issue(people: People) -> None:
    path = f"/projects/:p{SEED.plan_issue.path}"
    assert people["stranger"].get(path)["subscribed"] is False
    assert people["stranger"].post(f"{path}/subscribe")["subscribed"] is True
    assert people["stranger"].get(path)["subscribed"] is True
