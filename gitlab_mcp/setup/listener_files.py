"""The listener's configuration on this machine: listen.toml names variables, and listen.env has their values.

Only listen.env holds secrets, and only this user can read it. Both can serve several projects of one GitLab.
"""

import json
import re
import tomllib
from pathlib import Path

from gitlab_mcp.config.settings import SettingsError
from gitlab_mcp.setup.state import write_private

LISTENER_SECRETS = ("access_token", "trigger_token", "signing_token", "secret_token")
ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(\S*)")


class ListenerFiles:
    """The two files of a listener, as far as they are about one project. Raises SettingsError where one is unusable."""

    def __init__(self, folder: Path, url: str, project_id: int, project: str) -> None:
        self.config, self.secrets = folder / "listen.toml", folder / "listen.env"
        self._url, self._id, self._project = url, project_id, project

    def variable(self, secret: str) -> str:
        """The name of the variable that holds a secret of the project, such as its trigger_token."""
        return f"CLAUDE_{secret.upper()}_{self._id}"

    def secret(self, name: str) -> str:
        """The value of a secret; "" where the file lacks it."""
        return self._values().get(self.variable(name), "")

    def keep(self, name: str, value: str) -> None:
        """Write a secret of the project; "" removes it."""
        values = {**self._values(), self.variable(name): value}
        lines = [f"{key}={text}\n" for key, text in values.items() if text]
        self._write(self.secrets, "".join(lines))

    @property
    def is_configured(self) -> bool:
        """Whether listen.toml has the project, with the secrets that listen.env has."""
        table = next((row for row in self._tables() if row.get("path") == self._project), None)
        return table is not None and all(
            table.get(f"{name}_env") == self.variable(name) for name in LISTENER_SECRETS if self.secret(name)
        )

    def configure(self) -> None:
        """Write the project's table; an older one of setup's is replaced, everything else stays."""
        lines = [f"[[projects]]\npath = {json.dumps(self._project)}\n"]
        lines += [f'{name}_env = "{self.variable(name)}"\n' for name in LISTENER_SECRETS if self.secret(name)]
        text = self._without_table() or f"url = {json.dumps(self._url)}\n"
        self._write(self.config, f"{text}\n{self._begin}{''.join(lines)}{self._end}")
        if not self.is_configured:
            raise SettingsError(
                f"{self.config} has a table of {self._project} that setup did not write: remove it first."
            )

    def remove(self) -> None:
        """Take the project out of both files; a file in which nothing is left is deleted."""
        for name in LISTENER_SECRETS:
            if self.secret(name):
                self.keep(name, "")
        text = self._without_table()
        if text is not None:
            self._write(self.config, text)
        if not self._tables():
            self.config.unlink(missing_ok=True)
        if not self._values():
            self.secrets.unlink(missing_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether anything of the project is in the files."""
        return any(map(self.secret, LISTENER_SECRETS)) or any(
            row.get("path") == self._project for row in self._tables()
        )

    @property
    def _begin(self) -> str:
        return f"# {self._project}: made by gitlab-mcp-server setup\n"

    @property
    def _end(self) -> str:
        return f"# {self._project}: end\n"

    def _without_table(self) -> str | None:
        text = _read(self.config)
        if text is None:
            return None
        before, begin, rest = text.partition(self._begin)
        return before.removesuffix("\n") + rest.partition(self._end)[2] if begin else text

    def _tables(self) -> list[dict[str, object]]:
        text = _read(self.config)
        try:
            content = tomllib.loads(text or "")
        except tomllib.TOMLDecodeError:
            raise SettingsError(f"{self.config} is not valid TOML: correct it first.") from None
        if text and content.get("url", self._url) != self._url:
            raise SettingsError(f"{self.config} is for another GitLab: name another folder with --listener-folder.")
        rows = content.get("projects", [])
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def _values(self) -> dict[str, str]:
        lines = (_read(self.secrets) or "").splitlines()
        matches = [ASSIGNMENT.fullmatch(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
        if not all(matches):
            raise SettingsError(f"{self.secrets} has a line that is not NAME=VALUE: correct it first.")
        return {match[1]: match[2] for match in matches if match}

    def _write(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, text)
        except OSError as error:
            raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}.") from None
