"""The page's node:24-alpine3.21: wheels for its musl, and the documented lines that put the server there.

No Alpine is at hand. The lines are run in a Debian container, where a stand-in for apk installs what Debian calls it.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from tests.e2e.claude import fresh_place
from tests.e2e.images import container_of, needs_buildah, trusted
from tests.support.paths import REPOSITORY

LOCK = REPOSITORY / "requirements.txt"
# Alpine 3.21 has musl 1.2 and Python 3.12; wheels for musl 1.1 serve there too.
PYTHON = "3.12"
MUSL = ("musllinux_1_2", "musllinux_1_1")
PACKAGES = "/api/v4/projects/42/packages/generic/gitlab-mcp-server"
TOKEN = "a-job-token"
APK = """#!/bin/sh
[ "$1" = add ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
"""


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_pinned_dependency_has_a_wheel_for_the_musl_of_alpine(machine: str, tmp_path: Path) -> None:
    platforms = [word for each in MUSL for word in ("--platform", f"{each}_{machine}")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", *platforms, "--implementation", "cp", "--python-version", PYTHON]
    command += ["--dest", str(tmp_path), "--requirement", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # The others are for Windows and for browsers.
    assert len(list(tmp_path.glob("*.whl"))) >= len(re.findall(r"^[\w.-]+==", LOCK.read_text(), re.MULTILINE)) - 2


@needs_buildah
def test_the_documented_lines_put_the_server_into_an_image_that_lacks_it(images: dict[str, str]) -> None:
    lines = documented_lines()
    assert lines[:2] == ["apk update", "apk add --no-cache git curl bash python3 py3-pip"]
    # The third is the page's own, and fetches Claude Code.
    assert "claude.ai" in lines.pop(2)
    with (
        fresh_place() as place,
        container_of(images["server"]) as container,
        packages(built_files(place.folder)) as asked,
    ):
        place.write("ca.pem", trusted().read_text())
        (container.root / "usr/local/bin/apk").write_text(APK)
        (container.root / "usr/local/bin/apk").chmod(0o755)
        gone = container.run("sh", "-c", "rm -r /bin/gitlab-mcp-server /opt/gitlab-mcp-server")
        assert gone.returncode == 0, gone.stderr
        given = {
            "CI_JOB_TOKEN": TOKEN,
            "GITLAB_MCP_PACKAGE": f"{asked.url}{PACKAGES}/{__version__}",
            "PIP_CERT": str(place.folder / "ca.pem"),
            **{name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ},
        }
        script = "\n".join(("set -o errexit -o pipefail", *lines))
        done = container.run("bash", "-c", script, mount=place.folder, **given)
        assert done.returncode == 0, done
        started = container.run("/bin/gitlab-mcp-server", "--version")
    assert started.stdout == f"gitlab-mcp-server, version {__version__}\n"
    assert asked.tokens == [f"Bearer {TOKEN}"] * 2


def documented_lines() -> list[str]:
    """The items of the `before_script` in docs/image.md; a block ("|") is one."""
    text = (REPOSITORY / "docs" / "image.md").read_text()
    _, _, after = text.partition("  before_script:\n")
    items = re.split(r"^    - ", after.partition("```")[0], flags=re.MULTILINE)[1:]
    return [re.sub(r"^      ", "", item, flags=re.MULTILINE).removeprefix("|\n").strip() for item in items]


def built_files(folder: Path) -> dict[str, bytes]:
    """The two files that the lines fetch, by name."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(REPOSITORY)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {path.name: path.read_bytes() for path in (*(folder / "dist").glob("*.whl"), LOCK)}


class Packages:
    """A package registry: where it is, and with what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tokens: list[str] = []


@contextmanager
def packages(files: dict[str, bytes]) -> Iterator[Packages]:
    """GitLab's generic package registry, as far as a job that fetches files sees it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server looks for
            asked.tokens.append(self.headers.get("Authorization", ""))
            folder, _, name = self.path.rpartition("/")
            content = files.get(name) if folder == f"{PACKAGES}/{__version__}" else None
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server names it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    asked = Packages(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
