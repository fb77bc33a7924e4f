"""Paths, refs and numbers that nobody means: the sandbox answers as GitLab does, never with an error of its own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.http.routing import Route, all_routes
from tests.sandbox.conftest import Api

REPOSITORY = "/projects/:p/repository"
# lib/api/validations/validators/file_path.rb
NO_PATH = (400, {"error": "file_path should be a valid file path"})
ODD = ("../a", "[]", "/README.md", "a//b", "-x", "@{u}", "main^", ":/x", "*", "é\n", " ", "0", "9" * 40, "x" * 5000)
READS = sorted((one for one in all_routes() if one.method == "GET"), key=lambda one: one.template)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(fault_injection=True) as one:
        yield one


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> Iterator[Api]:
    client = Api(sandbox, "maintainer")
    yield client
    client.session.close()


@pytest.mark.parametrize("path", ["../a.md", "a/../../b", "/README.md", "a\nb", "a%252Fb"])
@pytest.mark.parametrize("rest", ["", "/raw", "/blame"])
def test_a_file_outside_the_repository_is_no_valid_file_path(api: Api, path: str, rest: str) -> None:
    assert api.refusal("GET", f"{REPOSITORY}/files/{quote(path, safe='')}{rest}?ref=main") == NO_PATH


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_file_outside_the_repository_is_not_written(api: Api, method: str) -> None:
    body = {"branch": "feature/verbose-flag", "commit_message": "m", "content": "x"}
    assert api.refusal(method, f"{REPOSITORY}/files/..%2Fa.md", **body) == NO_PATH


def test_a_file_whose_name_holds_dots_and_percent_signs_is_a_file(api: Api) -> None:
    for path in ("a..b.txt", "..c/d.txt", "100%25.txt"):
        api.commit("odd", {"action": "create", "file_path": path, "content": "x"}, start_branch="main", force=True)
        assert api.get(f"{REPOSITORY}/files/{quote(path, safe='')}", ref="odd")["file_path"] == path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../", "Path cannot include traversal syntax"),
        ("src/../../etc", "Path cannot include traversal syntax"),
        ("/src", "Only relative path is accepted"),
        ("nowhere", "invalid revision or path"),
        ("README.md", "invalid revision or path"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_not_found(api: Api, path: str, message: str) -> None:
    """Gitlab::GitalyClient::CommitService#path_error_message, which lib/api/repositories.rb puts into a 404."""
    response = api.call("GET", f"{REPOSITORY}/tree", params={"path": path})
    assert (response.status_code, response.json()) == (404, {"message": f"404 {message} Not Found"})


def test_a_uri_that_is_longer_than_nginx_takes_is_refused(api: Api) -> None:
    assert api.call("GET", "/projects/:p/issues", params={"search": "x" * 8000}).status_code == 200
    assert api.call("GET", "/projects/:p/issues", params={"search": "x" * 8200}).status_code == 414


def test_blame_takes_lines_up_to_the_end_of_the_file(api: Api) -> None:
    """lib/api/files.rb; lines beyond the end raise an ArgumentError there, which nothing rescues."""
    blame = f"{REPOSITORY}/files/README.md/blame?ref=main"
    whole = sum(len(group["lines"]) for group in api.get(blame))
    last = api.get(f"{blame}&range[start]={whole}&range[end]={whole + 9}")
    assert [len(group["lines"]) for group in last] == [1]
    beyond = api.refusal("GET", f"{blame}&range[start]={whole + 1}&range[end]={whole + 1}")
    assert beyond == (500, {"message": "500 Internal Server Error"})
    swapped = api.refusal("GET", f"{blame}&range[start]=2&range[end]=1")
    assert swapped == (400, {"message": "range[start] must be less than or equal to range[end]"})
    assert api.refusal("GET", f"{blame}&range[start]=0&range[end]=1")[0] == 400


@pytest.mark.parametrize("route", READS, ids=[one.template for one in READS])
def test_no_read_ends_in_an_error_of_the_sandbox(api: Api, route: Route) -> None:
    names = [part for part in route.template.split("/") if part.startswith((":", "*"))]
    names = names[1:] if route.in_project else names
    for odd in ODD:
        path = route.template.replace("/:id", "/1", 1) if route.in_project else route.template
        for name in names:
            path = path.replace(name, quote(odd, safe=""), 1)
        # Only parameters that are free text: a wrong choice or number is refused before anything is done with it.
        params = {one.name: odd for one in route.parameters if one.type in ("str", "any")}
        params |= {one.name: one.choices[0] for one in route.parameters if one.required and one.choices}
        response = api.call("GET", path, params=params)
        assert response.status_code != 500, (path, params)
