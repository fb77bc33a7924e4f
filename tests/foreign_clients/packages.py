"""Other people's clients, installed from npm and PyPI into a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from tests.foreign_clients.clients import CLIENTS

_SECONDS = 600


def cache_folder() -> Path:
    """The folder in which a client's packages are kept, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gitlab-mcp-server" / "foreign-clients"


def installed(name: str, cache: Path) -> Path:
    """Install a client's packages into a folder of its own, unless these versions are there; returns the folder.

    Raises OSError or subprocess.SubprocessError where that fails.
    """
    client, folder = CLIENTS[name], cache / name
    if client.index == "debian":
        for program in client.packages:
            if shutil.which(program) is None:
                raise FileNotFoundError(f"{program} is not on PATH; Debian 13 and newer have it as a package")
        return folder
    mark, wanted = folder / "installed", " ".join(client.packages)
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        click.echo(f"{name}: installing {wanted}", err=True)
        folder.mkdir(parents=True, exist_ok=True)
        if client.index == "npm":
            options = ("--no-audit", "--no-fund", "--loglevel=error")
            _run("npm", "install", *options, "--prefix", str(folder), *client.packages)
        else:
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *client.packages)
        mark.write_text(wanted, encoding="utf-8")
    return folder


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr, timeout=_SECONDS)
