"""Which project a git remote names, in every form of a remote and on every kind of GitLab address."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_mcp.config.checkout import project_of_remote

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True).filter(
    lambda name: not name.endswith(".git")
)
PROJECTS = st.lists(NAMES, min_size=2, max_size=5).map("/".join)
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z][a-z0-9]{0,6}){1,3}", fullmatch=True)
PREFIXES = st.sampled_from(["", "/gitlab", "/tools/gitlab"])
PORTS = st.integers(1, 65535)
SCHEMES = st.sampled_from(["http", "https"])
ENDS = st.sampled_from(["", ".git", "/", ".git/"])
USERS = st.sampled_from(["", "git@", "user:secret@", "gitlab-ci-token:x@"])
DEFAULT_PORTS = {"http": 80, "https": 443}


def address(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" + (f":{port}" if port else "")


@given(SCHEMES, HOSTS, st.none() | PORTS, PREFIXES, PROJECTS, USERS, ENDS)
def test_a_web_remote_of_this_gitlab_names_its_project(
    scheme: str, host: str, port: int | None, prefix: str, project: str, user: str, end: str
) -> None:
    url = f"{address(scheme, host, port)}{prefix}"
    remote = f"{address(scheme, user + host, port)}{prefix}/{project}{end}"
    assert project_of_remote(remote, url) == project


@given(SCHEMES, HOSTS, PROJECTS)
def test_the_default_port_may_be_written_and_the_host_in_capitals(scheme: str, host: str, project: str) -> None:
    with_port, without = address(scheme, host, DEFAULT_PORTS[scheme]), address(scheme, host, None)
    assert project_of_remote(f"{with_port}/{project}.git", without) == project
    assert project_of_remote(f"{without}/{project}.git", with_port) == project
    assert project_of_remote(f"{scheme}://{host.upper()}/{project}.git", without) == project


@given(SCHEMES, HOSTS, st.none() | PORTS, PREFIXES, PROJECTS, ENDS, st.sampled_from(["git@", ""]))
def test_an_ssh_remote_names_its_project_whatever_the_port(
    scheme: str, host: str, port: int | None, prefix: str, project: str, end: str, user: str
) -> None:
    url = f"{address(scheme, host, port)}{prefix}"
    assert project_of_remote(f"{user}{host}:{project}{end}", url) == project
    assert project_of_remote(f"{user}{host.upper()}:/{project}{end}", url) == project
    assert project_of_remote(f"ssh://{user}{host}/{project}{end}", url) == project
    assert project_of_remote(f"ssh://{user}{host}:2222/{project}{end}", url) == project


@given(SCHEMES, HOSTS, HOSTS, PREFIXES, PROJECTS)
def test_a_remote_on_another_host_names_none(scheme: str, host: str, other: str, prefix: str, project: str) -> None:
    url = f"{address(scheme, host, None)}{prefix}"
    for elsewhere in {other, f"{host}.{other}", f"{other}.{host}", f"x{host}", f"{host}x"} - {host}:
        assert project_of_remote(f"{scheme}://{elsewhere}{prefix}/{project}", url) == ""
        assert project_of_remote(f"ssh://git@{elsewhere}/{project}", url) == ""
        assert project_of_remote(f"git@{elsewhere}:{project}.git", url) == ""


@given(HOSTS, PORTS, PORTS, PROJECTS)
def test_a_web_remote_on_another_port_or_scheme_names_none(host: str, port: int, other: int, project: str) -> None:
    if port != other:
        assert project_of_remote(f"https://{host}:{other}/{project}", f"https://{host}:{port}") == ""
    assert project_of_remote(f"http://{host}:{port}/{project}", f"https://{host}:{port}") == ""
    assert project_of_remote(f"https://{host}:{port}/{project}", f"http://{host}:{port}") == ""


@given(SCHEMES, HOSTS, PROJECTS, st.sampled_from(["/gitlab", "/tools/gitlab"]))
def test_beside_a_relative_url_a_web_remote_names_none(scheme: str, host: str, project: str, prefix: str) -> None:
    base = address(scheme, host, None)
    for beside in ("", "/other", prefix.upper(), f"{prefix}x", f"/x{prefix}"):
        remote = f"{base}{beside}/{project}"
        assert project_of_remote(remote, f"{base}{prefix}") == "" or remote.startswith(f"{base}{prefix}/")
    assert project_of_remote(f"{base}{prefix}", f"{base}{prefix}") == ""
    assert project_of_remote(f"{base}{prefix}/", f"{base}{prefix}") == ""


@pytest.mark.parametrize(
    "remote",
    ["https://{host}/{name}.git", "git@{host}:{name}.git", "ssh://git@{host}/{name}", "https://{host}"],
)
@given(host=HOSTS, name=NAMES)
def test_a_path_of_one_name_is_no_project(remote: str, host: str, name: str) -> None:
    assert project_of_remote(remote.format(host=host, name=name), f"https://{host}") == ""


@given(HOSTS, PROJECTS)
def test_an_encoded_path_is_read(host: str, project: str) -> None:
    encoded = "/".join(quote(f"{name} é", safe="") for name in project.split("/"))
    expected = "/".join(f"{name} é" for name in project.split("/"))
    assert project_of_remote(f"https://{host}/{encoded}.git", f"https://{host}") == expected


@given(st.text(max_size=60), PREFIXES)
def test_no_remote_fails(remote: str, prefix: str) -> None:
    project = project_of_remote(remote, f"https://gitlab.example.com{prefix}")
    assert not project or ("/" in project and not project.startswith("/") and not project.endswith("/"))


@given(st.text(st.sampled_from("https:/@[]gitlab.examplcom%0"), max_size=60))
def test_no_remote_that_looks_like_one_fails(remote: str) -> None:
    project = project_of_remote(remote, "https://gitlab.example.com")
    assert not project or "gitlab.example.com" in remote.lower()


@pytest.mark.parametrize(
    "remote", ["/srv/git/acme/app.git", "file:///srv/acme/app.git", "../acme/app", "acme/app", "C:/a/b"]
)
def test_a_folder_is_no_project(remote: str) -> None:
    assert project_of_remote(remote, "https://gitlab.example.com") == ""
