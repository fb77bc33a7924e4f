"""Images that scripts/build-image builds, and commands run in them by buildah, which needs no engine of Docker.

Of an engine's `run` it has what these tests ask: the image's files, environment and users, and mounts. The network is
this machine's.
"""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest

from tests.e2e.claude import Done
from tests.support.paths import REPOSITORY

NEEDED = ("buildah", "debootstrap")
BUILT = 900.0
TIMEOUT = 300.0
MARK = "a certificate authority that no image is to know"


def lacking() -> str:
    """Why no image can be built here; empty if it can."""
    if os.geteuid() != 0:
        return "buildah builds as root here"
    absent = [command for command in NEEDED if shutil.which(command) is None]
    return f"not on PATH: {', '.join(absent)}; .ci/run installs it" if absent else ""


needs_buildah = pytest.mark.skipif(bool(lacking()), reason=lacking())


@dataclass(frozen=True)
class Container:
    """One container of an image, and its files as they are now."""

    name: str
    root: Path

    def command(self, *command: str, user: str = "", mount: Path | None = None, **env: str) -> list[str]:
        """What runs a command in it; `mount` is there under the same path, and is the working directory."""
        words = ["buildah", "run"]
        words += ["--user", user] if user else []
        words += ["--volume", f"{mount}:{mount}"] if mount else []
        words += [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        return [*words, self.name, "--", *command]

    def run(self, *command: str, stdin: str = "", user: str = "", mount: Path | None = None, **env: str) -> Done:
        """Run a command in it to its end."""
        done = subprocess.run(
            self.command(*command, user=user, mount=mount, **env),
            env=environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """What buildah needs, as scripts/build-image sets it."""
    return {**os.environ, "BUILDAH_ISOLATION": "chroot"}


def buildah(*arguments: str) -> str:
    """What buildah prints; it must succeed."""
    done = subprocess.run(
        ["buildah", *arguments], env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def container_of(image: str) -> Iterator[Container]:
    """A fresh container, gone afterwards."""
    name = buildah("from", "--pull-never", image)
    try:
        yield Container(name, Path(buildah("mount", name)))
    finally:
        buildah("rm", name)


@contextmanager
def built(folder: Path) -> Iterator[dict[str, str]]:
    """The images by target. They and their layers are gone afterwards; the base image stays, or its stand-in."""
    before = set(_images())
    authorities = folder / "ca.pem"
    authorities.write_text(f"# {MARK}\n{trusted().read_text()}")
    names = {target: f"localhost/gitlab-mcp-server-test-{os.getpid()}:{target}" for target in ("server", "claude")}
    fresh: tuple[str, ...] = ("--no-cache",)
    try:
        for target, name in names.items():
            # The other one goes on from the layers of the first.
            done = build("--target", target, "--tag", name, "--ca", str(authorities), *fresh)
            assert done.returncode == 0, done.stderr
            fresh = ()
        yield names
    finally:
        made = [image for image, called in _images().items() if image not in before and called <= {*names.values()}]
        if made:
            buildah("rmi", "--force", *made)


def build(*arguments: str) -> Done:
    """Run scripts/build-image, with buildah."""
    command = [str(REPOSITORY / "scripts" / "build-image"), "--buildah", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILT, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def configuration(image: str) -> dict[str, Any]:
    """The OCI configuration of an image: `config` (what runs, as whom, labels) and `history`."""
    answer: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]
    return answer


def size_of(folder: Path) -> int:
    """What lies in a folder, in bytes on the disk."""
    done = subprocess.run(["du", "-sx", "--block-size=1", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def trusted() -> Path:
    """The certificate authorities that this machine's package clients trust."""
    given = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(given or certifi.where())


def _images() -> dict[str, set[str]]:
    """Every image, also those that are but layers of others, with its names."""
    listed: list[dict[str, Any]] = json.loads(buildah("images", "--all", "--json") or "[]")
    return {each["id"]: set(each.get("names") or ()) for each in listed}
