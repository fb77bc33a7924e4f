"""The commits API: file actions, errors, and that a commit is atomic."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.sandbox.conftest import Api, People

COMMITS = "/projects/:p/repository/commits"
FILES = "/projects/:p/repository/files"


def paths(api: Api, ref: str) -> dict[str, str]:
    tree = api.get("/projects/:p/repository/tree", ref=ref, recursive=True, per_page=100)
    return {entry["path"]: entry["mode"] for entry in tree if entry["type"] != "tree"}


def test_one_commit_creates_updates_deletes_moves_and_changes_a_mode(developer: Api) -> None:
    content = base64.b64encode(b"\x00\xff").decode()
    made = developer.commit(
        "topic",
        {"action": "create", "file_path": "new/file.bin", "content": content, "encoding": "base64"},
        {"action": "update", "file_path": "README.md", "content": "# new\n"},
        {"action": "delete", "file_path": "src/app/legacy.py"},
        {"action": "move", "previous_path": "docs/usage.md", "file_path": "docs/manual.md"},
        {"action": "chmod", "file_path": "tests/test_config.py", "execute_filemode": True},
        start_branch="main",
        message="Five things\n\nAt once.",
        author_name="Ann Author",
        author_email="ann@example.com",
    )  # fmt: skip
    assert (made["title"], made["author_name"], made["committer_name"]) == ("Five things", "Ann Author", "Developer")
    assert made["stats"]["total"] == made["stats"]["additions"] + made["stats"]["deletions"]
    found = paths(developer, "topic")
    assert found["tests/test_config.py"] == "100755"
    assert "src/app/legacy.py" not in found
    assert "docs/usage.md" not in found
    assert "docs/manual.md" in found
    raw = developer.call("GET", f"{FILES}/new%2Ffile.bin/raw", params={"ref": "topic"})
    assert raw.content == b"\x00\xff"
    diffs = {diff["new_path"]: diff for diff in developer.get(f"{COMMITS}/topic/diff")}
    assert diffs["docs/manual.md"]["renamed_file"] is True
    assert diffs["src/app/legacy.py"]["deleted_file"] is True
    assert developer.get(f"{COMMITS}/topic")["parent_ids"] == [developer.get(f"{COMMITS}/main")["id"]]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"action": "create", "file_path": "README.md"}, "A file with this name already exists"),
        ({"action": "create", "file_path": "docs"}, "A directory with this name already exists"),
        ({"action": "create", "file_path": "README.md/x"}, "A file with this name already exists"),
        ({"action": "update", "file_path": "none", "content": ""}, "A file with this name doesn't exist"),
        ({"action": "delete", "file_path": "none"}, "A file with this name doesn't exist"),
        ({"action": "move", "previous_path": "none", "file_path": "x"}, "A file with this name doesn't exist"),
        ({"action": "create", "file_path": "../x"}, "Path cannot include directory traversal"),
        ({"action": "create", "file_path": "a/../../x"}, "Path cannot include directory traversal"),
        ({"action": "create", "file_path": "/etc/x"}, "invalid path: '/etc/x'"),
        ({"action": "create", "file_path": ".git/config"}, "invalid path: '.git/config'"),
        ({"action": "create", "file_path": "a/.GIT/x"}, "invalid path: 'a/.GIT/x'"),
        ({"action": "create", "file_path": "x", "content": "!", "encoding": "base64"}, "Invalid base64"),
    ],
)
def test_a_commit_with_an_invalid_action_changes_nothing(developer: Api, action: dict[str, Any], message: str) -> None:
    good = {"action": "create", "file_path": "good.txt", "content": "x"}
    body = {"branch": "feature/verbose-flag", "commit_message": "m", "actions": [good, action]}
    before = developer.get(f"{COMMITS}/feature%2Fverbose-flag")["id"]
    assert developer.refusal("POST", COMMITS, **body) == (400, {"message": message})
    assert developer.get(f"{COMMITS}/feature%2Fverbose-flag")["id"] == before


def test_errors_name_invalid_actions_by_index(developer: Api) -> None:
    actions = [{"action": "create", "file_path": "x"}, {"action": "paint", "file_path": "y"}, {"action": "update"}]
    body = {"branch": "b", "commit_message": "m", "actions": actions}
    wanted = "actions[1][action] does not have a valid value, actions[2][file_path] is missing"
    assert developer.refusal("POST", COMMITS, **body) == (400, {"error": wanted})


def test_a_branch_must_exist_or_have_a_start(developer: Api) -> None:
    action = {"action": "create", "file_path": "x", "content": "x"}
    body: dict[str, Any] = {"branch": "nowhere", "commit_message": "m", "actions": [action]}
    refused = (400, {"message": "You can only create or edit files when you are on a branch"})
    assert developer.refusal("POST", COMMITS, **body) == refused
    assert developer.refusal("POST", COMMITS, **body, start_branch="none") == refused
    body["branch"] = "feature/verbose-flag"
    text = "A branch called 'feature/verbose-flag' already exists. Switch to that branch in order to make changes"
    assert developer.refusal("POST", COMMITS, **body, start_branch="main") == (400, {"message": text})
    forced = developer.post(COMMITS, **body, start_branch="main", force=True)
    assert forced["parent_ids"] == [developer.get(f"{COMMITS}/main")["id"]]
    from_sha = developer.post(COMMITS, **{**body, "branch": "by-sha"}, start_sha=forced["parent_ids"][0])
    assert from_sha["parent_ids"] == forced["parent_ids"]


@pytest.mark.parametrize("name", ["fix 7", "a..b", "-x", "feature/verbose-flag/deeper", "x.lock"])
def test_an_invalid_branch_name_and_one_below_another_are_rejected(developer: Api, name: str) -> None:
    action = {"action": "create", "file_path": "x", "content": "x"}
    body = {"branch": name, "commit_message": "m", "actions": [action], "start_branch": "main"}
    status, response = developer.refusal("POST", COMMITS, **body)
    assert status == 400
    assert response["message"].startswith(f"Something went wrong when we tried to create '{name}' for you")


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(developer: Api) -> None:
    seen = developer.get(f"{FILES}/README.md", ref="main")["last_commit_id"]
    developer.commit("work", {"action": "update", "file_path": "README.md", "content": "a"}, start_branch="main")
    update = {"action": "update", "file_path": "README.md", "content": "b", "last_commit_id": seen}
    text = "You are attempting to update a file README.md that has changed since you started editing it."
    body = {"branch": "work", "commit_message": "m", "actions": [update]}
    assert developer.refusal("POST", COMMITS, **body) == (400, {"message": text})
    update["last_commit_id"] = developer.get(f"{FILES}/README.md", ref="work")["last_commit_id"]
    assert developer.commit("work", update)["title"] == "A change"


def test_the_first_commit_creates_the_first_branch_of_an_empty_project(people: People) -> None:
    maintainer = people["maintainer"]
    body = {"branch": "main", "commit_message": "first", "actions": [{"action": "create", "file_path": "a/b.txt"}]}
    made = maintainer.post("/projects/acme%2Fempty/repository/commits", **body)
    assert made["parent_ids"] == []
    assert maintainer.get("/projects/acme%2Fempty")["default_branch"] == "main"
    assert [branch["name"] for branch in maintainer.get("/projects/acme%2Fempty/repository/branches")] == ["main"]


def test_unusual_paths_and_contents_are_committed_unchanged(developer: Api) -> None:
    name = 'Größe "1" \\ it\'s (copy) %2F.txt'
    developer.commit("work", {"action": "create", "file_path": name, "content": "a\r\nb"}, start_branch="main")
    assert name in paths(developer, "work")
    quoted = "Gr%C3%B6%C3%9Fe%20%221%22%20%5C%20it%27s%20%28copy%29%20%252F.txt"
    response = developer.call("GET", f"{FILES}/{quoted}/raw", params={"ref": "work"})
    assert response.content == b"a\r\nb"
    assert developer.get("/projects/:p/repository/files/docs%2F%C3%BCbersicht%20der%20optionen.md", ref="main")


def test_five_megabytes_are_committed(developer: Api) -> None:
    content = base64.b64encode(bytes(range(256)) * 20_480).decode()
    action = {"action": "create", "file_path": "big.bin", "content": content, "encoding": "base64"}
    developer.commit("work", action, start_branch="main")
    head = developer.call("HEAD", f"{FILES}/big.bin", params={"ref": "work"})
    assert head.headers["x-gitlab-size"] == "5242880"


def test_the_tree_distinguishes_symlinks_and_submodules(developer: Api) -> None:
    found = {entry["path"]: entry for entry in developer.get("/projects/:p/repository/tree", path="docs")}
    assert found["docs/latest"]["mode"] == "120000"
    (module,) = developer.get("/projects/:p/repository/tree", path="vendor")
    assert (module["type"], module["mode"]) == ("commit", "160000")
    assert developer.refusal("GET", f"{FILES}/vendor%2Flib?ref=main")[0] == 404
    assert developer.call("GET", f"{FILES}/docs%2Flatest/raw").text == "usage.md"


@pytest.mark.parametrize("word", ["cherry_pick", "revert"])
def test_picking_onto_a_missing_branch_is_not_found(developer: Api, word: str) -> None:
    """lib/api/commits.rb: find_branch! before the service is asked."""
    path = f"{COMMITS}/main/{word}"
    assert developer.refusal("POST", path, branch="nowhere") == (404, {"message": "404 Branch Not Found"})
    assert developer.refusal("POST", path, branch="a..b") == (400, {"message": "The branch refname is invalid"})
    gone = f"{COMMITS}/{'0' * 40}/{word}"
    assert developer.refusal("POST", gone, branch="feature/verbose-flag") == (404, {"message": "404 Commit Not Found"})


def test_a_cherry_pick_says_what_it_is_from_unless_it_has_a_message(developer: Api) -> None:
    """Commit#cherry_pick_message in app/models/commit.rb."""
    head = developer.get(f"{COMMITS}/feature%2Fverbose-flag")
    for branch in ("one", "two"):
        developer.post("/projects/:p/repository/branches", branch=branch, ref="main")
    picked = developer.post(f"{COMMITS}/{head['id']}/cherry_pick", branch="one")
    assert picked["message"] == f"{head['message']}\n\n(cherry picked from commit {head['id']})"
    assert developer.post(f"{COMMITS}/{head['id']}/cherry_pick", branch="two", message="Mine")["message"] == "Mine"
    status, again = developer.refusal("POST", f"{COMMITS}/{head['id']}/cherry_pick", branch="one", dry_run=True)
    assert (status, again["error_code"], again["dry_run"]) == (400, "empty", "error")


def test_names_that_look_like_a_sha_are_refused(developer: Api) -> None:
    """Gitlab::Checks::BranchCheck and TagCheck, which check what the API writes too."""
    sha, action = "a" * 40, {"action": "create", "file_path": "x", "content": "x"}
    refused = (400, {"message": "You cannot create a branch with a 40-character hexadecimal branch name."})
    assert developer.refusal("POST", "/projects/:p/repository/branches", branch=sha, ref="main") == refused
    body = {"branch": f"{sha}/x", "start_branch": "main", "commit_message": "m", "actions": [action]}
    assert developer.refusal("POST", COMMITS, **body) == refused
    tag = developer.refusal("POST", "/projects/:p/repository/tags", tag_name=sha, ref="main")
    assert tag == (400, {"message": "You cannot create a tag with a SHA-1 or SHA-256 tag name."})


def test_a_branch_of_an_empty_project_creates_the_default_branch_first(people: People) -> None:
    """Branches::CreateService#create_default_branch."""
    maintainer, project = people["maintainer"], "/projects/acme%2Fempty"
    made = maintainer.post(f"{project}/repository/branches", branch="topic", ref="main")
    assert (made["commit"]["title"], made["commit"]["parent_ids"]) == ("Add README.md", [])
    assert maintainer.get(project)["default_branch"] == "main"
    assert [one["name"] for one in maintainer.get(f"{project}/repository/branches")] == ["main", "topic"]
    assert [one["path"] for one in maintainer.get(f"{project}/repository/tree")] == ["README.md"]


def test_commits_are_cherry_picked_and_reverted(developer: Api) -> None:
    head = developer.get(f"{COMMITS}/feature%2Fverbose-flag")
    developer.post("/projects/:p/repository/branches", branch="other", ref="main")
    refused = developer.refusal("POST", f"{COMMITS}/{head['parent_ids'][0]}/revert", branch="other")
    assert refused[0] == 400
    picked = developer.post(f"{COMMITS}/{head['id']}/cherry_pick", branch="other")
    assert picked["title"] == head["title"]
    taken_back = developer.post(f"{COMMITS}/{picked['id']}/revert", branch="other")
    assert taken_back["title"] == f'Revert "{head["title"]}"'
    compared = developer.get("/projects/:p/repository/compare", **{"from": "main", "to": "other"})
    assert (len(compared["commits"]), compared["diffs"]) == (2, [])
