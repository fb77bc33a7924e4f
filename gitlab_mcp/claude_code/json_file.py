"""Edits JSON files that belong to another program: under a lock, atomically, with all other content kept."""

import errno
import fcntl
import json
import os
import pwd
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from gitlab_mcp.config.environment import SettingsError

Document = dict[str, Any]
Edit = Callable[[Document], bool]

PRIVATE = 0o600
OWN_LOCK_SECONDS = 5.0  # how long to wait for the lock of another registration
CLIENT_LOCK_SECONDS = 1.0  # how long to wait for the lock of Claude Code, which holds it for milliseconds
STALE_SECONDS = 10.0  # a lock folder of this age was left behind; Claude Code uses the same limit
POLL_SECONDS = 0.01
LOCKS_NOT_SUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)  # by the file system


class RegistrationError(SettingsError):
    """A configuration file cannot be read or written; the text names the file and says what to do."""


def configuration_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the user's settings. Raises RegistrationError when the user has no home directory."""
    folder = environ.get("CLAUDE_CONFIG_DIR")
    return Path(folder).absolute() if folder else _home(environ) / ".claude"


def user_file(environ: Mapping[str, str]) -> Path:
    """The file of the servers in user and local scope. Raises RegistrationError when the user has no home directory."""
    # As long as a file of this old name is not empty, Claude Code uses it instead.
    legacy = configuration_folder(environ) / ".config.json"
    with suppress(OSError):
        status = legacy.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return legacy
    folder = environ.get("CLAUDE_CONFIG_DIR")
    return (Path(folder).absolute() if folder else _home(environ)) / ".claude.json"


def _home(environ: Mapping[str, str]) -> Path:
    if home := environ.get("HOME"):
        return Path(home).absolute()
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        raise RegistrationError(
            f"HOME is unset and user {os.geteuid()} has no home directory: set HOME to a folder that it owns."
        ) from None


def change(path: Path, edit: Edit, mode: int = PRIVATE) -> bool:
    """Let `edit` change the JSON object in `path` and return whether it did; returns True if the file was written.

    The file is replaced atomically, keeps its mode and owner, and is created with `mode` where it is missing. A link is
    followed. Raises RegistrationError, with the file unchanged, when it does not contain a JSON object or cannot be
    read or written.
    """
    try:
        target = path.resolve()
        if _is_unchanged_by(edit, path, target):
            return False
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path, target):
            text = _read(path, target)
            document = _parse(path, text)
            if not edit(document):
                return False
            _replace(target, _serialized(path, document, text).encode(), mode)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is a link to itself"
        raise RegistrationError(
            f"{path} cannot be changed ({reason}): make it and its folder writable for user {os.geteuid()},"
            " or set HOME or CLAUDE_CONFIG_DIR to a folder that is."
        ) from error
    return True


def object_at(path: Path, document: Document, *keys: str) -> Document:
    """The object at `keys`, created where it is missing. Raises RegistrationError when another value is there."""
    for key in keys:
        document = document.setdefault(key, {})
        if not isinstance(document, dict):
            raise RegistrationError(f'"{key}" in {path} is not a JSON object: correct it or remove it, then try again.')
    return document


def _is_unchanged_by(edit: Edit, path: Path, target: Path) -> bool:
    """Whether there is nothing to change, so that a read-only file that is already right is not an error."""
    # An invalid file may be half written by another process: it is read again under the lock.
    with suppress(OSError, RegistrationError):
        return not edit(_parse(path, _read(path, target)))
    return False


def _read(path: Path, target: Path) -> str:
    try:
        return target.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        _raise_broken(path, "is not valid UTF-8")


def _parse(path: Path, text: str) -> Document:
    if not text.strip():
        return {}
    try:
        document = json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        _raise_broken(path, f"is not valid JSON (line {error.lineno}, column {error.colno})")
    except (ValueError, RecursionError):
        _raise_broken(path, "cannot be read as JSON")
    if not isinstance(document, dict):
        _raise_broken(path, "does not contain a JSON object")
    return document


def _raise_broken(path: Path, problem: str) -> NoReturn:
    raise RegistrationError(f"{path} {problem} and was not changed: correct it or move it away, then try again.")


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)  # Python accepts NaN and Infinity, which are not JSON


def _serialized(path: Path, document: Document, before: str) -> str:
    """`document` as JSON, indented as `before`, the text that it was read from."""
    indented = re.search(r"\n([ \t]+)\S", before)
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indented[1] if indented else 2)
    except ValueError:  # a number that Python reads as infinite
        _raise_broken(path, "cannot be read as JSON")
    # Unpaired surrogates (invalid Unicode) can be written in JSON only as escapes.
    text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
    return text if before and not before.endswith("\n") else f"{text}\n"


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(FileNotFoundError):
                before = target.stat()
                mode = stat.S_IMODE(before.st_mode)
                with suppress(PermissionError):  # only root can change the owner of a file
                    os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


@contextmanager
def _locked(path: Path, target: Path) -> Iterator[None]:
    """Hold the locks against other registrations, from any process, and against Claude Code."""
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(path, folder)
        with _client_lock(path):
            yield
    finally:
        os.close(folder)


def _lock(path: Path, folder: int) -> None:
    deadline = time.monotonic() + OWN_LOCK_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RegistrationError(f"Another process keeps {path} locked: try again when it is done.") from None
            time.sleep(POLL_SECONDS)
            continue
        except OSError as error:
            if error.errno not in LOCKS_NOT_SUPPORTED:
                raise
        return


@contextmanager
def _client_lock(path: Path) -> Iterator[None]:
    """Hold the lock that Claude Code takes when it rewrites its file: a folder with the name of the file and .lock."""
    folder = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + CLIENT_LOCK_SECONDS
    held = False
    while not held and time.monotonic() < deadline:
        try:
            folder.mkdir()
            held = True
        except FileExistsError:
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                    folder.rmdir()
                    continue
            time.sleep(POLL_SECONDS)
        except OSError:
            break  # a folder that is not writable is reported when the file is written
    try:
        yield
    finally:
        if held:
            with suppress(OSError):
                folder.rmdir()
