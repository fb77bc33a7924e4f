"""What a project gets of this installation: its templates, the lock of its dependencies, and itself as a wheel.

In a wheel the first two are below `setup/data/`; in a checkout they are where people edit them.
"""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gitlab_mcp import __version__
from gitlab_mcp.config.settings import SettingsError

PACKAGE = Path(__file__).parents[1]
DATA = PACKAGE / "setup" / "data"
DISTRIBUTION = "gitlab-mcp-server"
LOCK = "requirements.txt"
TEMPLATES = ("claude", "claude-api-oidc", "claude-bedrock", "claude-vertex")
WHEEL = f"gitlab_mcp_server-{__version__}-py3-none-any.whl"
PACKED_SUFFIXES = (".py", ".json", ".typed")
# The earliest time that a zip file can hold; with it, and without compression, the same files are the same bytes.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackedServer:
    """This installation as a wheel, with the lock of its dependencies beside it.

    `version` is that of the package in which they are kept: it names the content, so that it never changes.
    """

    wheel: bytes
    lock: bytes

    @property
    def files(self) -> dict[str, bytes]:
        """The content of each file by its name."""
        return {WHEEL: self.wheel, LOCK: self.lock}

    @property
    def version(self) -> str:
        return f"{__version__}-{hashlib.sha256(self.wheel + self.lock).hexdigest()[:12]}"


def data_file(name: str) -> bytes:
    """A file that is not part of the package's code. Raises SettingsError where this installation lacks it."""
    for path in (DATA / name, PACKAGE.parent / name):
        if path.is_file():
            return path.read_bytes()
    raise SettingsError(f"This installation lacks the file {name}: install gitlab-mcp-server again.")


def template(name: str) -> str:
    """The text of a template, by its name without `.yml`."""
    return data_file(f"templates/{name}.yml").decode()


@cache
def packed_server() -> PackedServer:
    """This installation, packed. Raises SettingsError where its own files cannot be found."""
    return PackedServer(_wheel(), data_file(LOCK))


def _wheel() -> bytes:
    """https://packaging.python.org/en/latest/specifications/binary-distribution-format/"""
    try:
        own = distribution(DISTRIBUTION)
    except PackageNotFoundError as missing:
        raise SettingsError(
            "gitlab-mcp-server is not installed, so that it cannot be packed for jobs: install it, or name an image"
            " with --image."
        ) from missing
    info = f"gitlab_mcp_server-{__version__}.dist-info"
    files = {
        f"gitlab_mcp/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in PACKED_SUFFIXES and path.is_file() and DATA not in path.parents
    }
    for name in (LOCK, *(f"templates/{name}.yml" for name in TEMPLATES)):
        files[f"gitlab_mcp/setup/data/{name}"] = data_file(name)
    for name in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        files[f"{info}/{name}"] = (own.read_text(name) or "").encode()
    tags = "Root-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: gitlab-mcp-server {__version__}\n{tags}".encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # a regular file of Unix
            archive.writestr(entry, content)
    return packed.getvalue()


def _record(files: dict[str, bytes], own_name: str) -> bytes:
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{own_name},,\n"]).encode()
