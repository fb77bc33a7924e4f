"""Archives of a commit's files (GitLab docs, repositories API)."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from tests.sandbox.conftest import Api

ARCHIVE = "/projects/:p/repository/archive"


def names(content: bytes, extension: str) -> list[str]:
    if extension == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [member.name for member in tar.getmembers()]


@pytest.mark.parametrize("extension", ["", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tbz", ".tbz2", ".tb2", ".bz2"])
def test_an_archive_has_the_files_in_a_folder_that_names_the_commit(developer: Api, extension: str) -> None:
    sha = developer.get("/projects/:p/repository/branches/main")["commit"]["id"]
    response = developer.call("GET", f"{ARCHIVE}{extension}")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="app-main-{sha}{extension or ".tar.gz"}"'
    assert f"app-main-{sha}/src/app/cli.py" in names(response.content, extension)


def test_an_archive_of_a_folder_has_only_its_files(developer: Api) -> None:
    response = developer.call("GET", f"{ARCHIVE}.tar", params={"sha": "feature/verbose-flag", "path": "src/app"})
    files = [name.partition("/")[2] for name in names(response.content, ".tar")]
    assert "src/app/cli.py" in files
    assert not [
        name for name in files if name and not "src/app/cli.py".startswith(name) and not name.startswith("src/app")
    ]
    assert names(response.content, ".tar")[0].startswith("app-feature-verbose-flag-")


@pytest.mark.parametrize("params", [{"sha": "nowhere"}, {"path": "nowhere"}], ids=["commit", "folder"])
def test_an_archive_of_nothing_is_not_found(developer: Api, params: dict[str, str]) -> None:
    response = developer.call("GET", ARCHIVE, params=params)
    assert (response.status_code, response.json()) == (404, {"message": "404 File Not Found"})
