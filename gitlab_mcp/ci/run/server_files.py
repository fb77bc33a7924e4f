"""The private folder of a run: the MCP configuration for Claude Code, and GitLab's tokens for our server alone."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitlab_mcp.ci.run.environment import GITLAB_TOKENS
from gitlab_mcp.claude_code.registration import SERVER_NAME, own_registration
from gitlab_mcp.config.environment import SettingsError, is_ci, secret
from gitlab_mcp.config.settings import Flags, secrets_of

# In a job the other names belong to other tools, whose tokens the run does not use.
TOKENS_OF_JOBS = ("GITLAB_ACCESS_TOKEN", "AI_FLOW_GITLAB_TOKEN", "CI_JOB_TOKEN")


@contextmanager
def private_folder(checkout: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """A folder that only this user can open, deleted at the end.

    Raises SettingsError where folders for temporary files are in the checkout, whose files the agent reads, or in a job
    the home is, whose settings Claude Code obeys.
    """
    home = Path(environ.get("HOME", "/")).resolve()
    if is_ci(environ) and home.is_relative_to(checkout.resolve()):
        raise SettingsError("HOME is a folder of the checkout: set it to one outside, or remove it.")
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-run-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        if folder.is_relative_to(checkout.resolve()):
            raise SettingsError("TMPDIR is a folder of the checkout: set it to one outside, or remove it.")
        yield folder


def write_private(path: Path, content: str | bytes) -> Path:
    """Write a new file that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    return path


def server_entry(
    folder: Path, flags: Flags, environ: Mapping[str, str], asked_at: str, confirmed: Mapping[str, str]
) -> dict[str, Any]:
    """The entry of our server for Claude Code: tokens, and variables with text of people, are in files of `folder`.

    Claude Code expands `${NAME}` in an entry, so that nothing which people wrote may be in it. `asked_at` is a time;
    the server reads a variable of `confirmed` (TRIGGER_PAYLOAD) from the file that it names.
    """
    entry = own_registration(flags, secrets_of(environ, flags.not_secret)).entry()
    for name in TOKENS_OF_JOBS if is_ci(environ) else GITLAB_TOKENS:
        if token := secret(environ, name):
            entry["env"][f"{name}_FILE"] = str(write_private(folder / name.lower(), token))
    for name, text in confirmed.items():
        entry["env"][name] = str(write_private(folder / name.lower(), text))
    if asked_at:
        entry["env"]["GITLAB_MCP_ASKED_AT"] = asked_at
    return entry


def write_configuration(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Write the file that --mcp-config names: our server, and no other."""
    return write_private(folder / "mcp.json", json.dumps({"mcpServers": {SERVER_NAME: entry}}))
