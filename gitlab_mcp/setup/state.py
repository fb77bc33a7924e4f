"""What setup made, and the former values of what it changed: a file on this machine, outside every checkout.

It never holds a secret: values of variables and tokens are not read back from GitLab, and not written anywhere here.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitlab_mcp.config.environment import variable
from gitlab_mcp.config.settings import SettingsError

VERSION = 1
STATE_FOLDER = "gitlab-mcp-server/setup"


class SetupState:
    """The records of the steps that were applied to one project, by the id of the step. Every change is saved at once.

    Raises SettingsError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, dict[str, Any]] = _read(path)

    def record(self, step: str) -> Mapping[str, Any]:
        """The record of a step; empty where it was never applied from this machine."""
        return self._records.get(step, {})

    @property
    def steps(self) -> list[str]:
        """The ids of the steps that were applied from this machine."""
        return list(self._records)

    def keep(self, step: str, **values: Any) -> None:
        """Add values to the record of a step."""
        self._records[step] = {**self._records.get(step, {}), **values}
        self._save()

    def keep_first(self, step: str, **values: Any) -> None:
        """Add values to the record of a step, except those that it has: the oldest former value is restored."""
        self.keep(step, **{**values, **self._records.get(step, {})})

    def forget(self, step: str) -> None:
        """Remove the record of a step."""
        if self._records.pop(step, None) is not None:
            self._save()

    def _save(self) -> None:
        text = json.dumps({"version": VERSION, "steps": self._records}, indent=2, sort_keys=True)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.path, f"{text}\n")
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be written: {error.strerror}.") from error


def state_path(environ: Mapping[str, str], home: Path, url: str, project_id: int) -> Path:
    """The file for a project: https://specifications.freedesktop.org/basedir-spec/latest/"""
    configured = variable(environ, "XDG_STATE_HOME")
    base = Path(configured) if configured.startswith("/") else home / ".local" / "state"
    host = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{urlsplit(url).netloc}{urlsplit(url).path}")
    return base / STATE_FOLDER / f"{host}-{project_id}.json"


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path}, in which setup keeps what it changed, cannot be read: correct it or move it away."
        ) from error
    steps = data.get("steps") if isinstance(data, dict) else None
    if not isinstance(steps, dict) or not all(isinstance(record, dict) for record in steps.values()):
        raise SettingsError(f"{path} does not hold what setup wrote: move it away.")
    return steps
