"""The certificates of certificate authorities (CAs) that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gitlab_mcp.config.environment import SettingsError

if TYPE_CHECKING:
    import ssl  # its import takes time, and whoever calls has a context already


def add_ca_files(context: ssl.SSLContext, ca_files: Iterable[Path]) -> None:
    """Trust the certificates in `ca_files`, which are PEM files, or folders as OpenSSL reads them.

    Raises SettingsError when a file contains no certificate.
    """
    for path in ca_files:
        try:
            if path.is_dir():
                context.load_verify_locations(capath=str(path))
            else:
                context.load_verify_locations(cafile=str(path))
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"{path} contains no certificate that can be read (PEM is expected).") from error
