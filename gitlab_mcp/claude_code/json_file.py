"""JSON files that belong to somebody else: changed in one place, whole, with everything else kept."""

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
OURS_SECONDS = 5.0  # how long another registration is waited for
CLIENTS_SECONDS = 1.0  # how long Claude Code itself is: it holds its lock for milliseconds
STALE_SECONDS = 10.0  # a lock folder this old was left behind, as Claude Code judges it too
PAUSE_SECONDS = 0.01
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)  # a file system that has none


class RegistrationError(SettingsError):
    """What was asked cannot be written; the text names the file and says what to do."""


def configuration_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the user's settings. Raises RegistrationError where there is no home."""
    given = environ.get("CLAUDE_CONFIG_DIR")
    return Path(given).absolute() if given else _home(environ) / ".claude"


def user_file(environ: Mapping[str, str]) -> Path:
    """The file of servers in user and local scope. Raises RegistrationError where there is no home."""
    # As long as a file of this old name has anything in it, Claude Code reads and writes no other.
    legacy = configuration_folder(environ) / ".config.json"
    with suppress(OSError):
        found = legacy.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size:
            return legacy
    given = environ.get("CLAUDE_CONFIG_DIR")
    return (Path(given).absolute() if given else _home(environ)) / ".claude.json"


def _home(environ: Mapping[str, str]) -> Path:
    if given := environ.get("HOME"):
        return Path(given).absolute()
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        raise RegistrationError(
            f"HOME is unset and user {os.geteuid()} has no home: set HOME to a folder that it owns."
        ) from None


def change(path: Path, edit: Edit, mode: int = PRIVATE) -> bool:
    """Let `edit` change the JSON object in `path` and say whether it did; True if the file was written.

    The file is replaced in one step, keeps its mode and owner, and is made with `mode` where it is missing. A link is
    followed. Raises RegistrationError when it is no JSON object or cannot be read or written; it is as before then.
    """
    try:
        target = path.resolve()
        if _is_settled(path, target, edit):
            return False
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path, target):
            text = _read(path, target)
            document = _parse(path, text)
            if not edit(document):
                return False
            _replace(target, _serialise(path, document, text).encode(), mode)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is a link to itself"
        raise RegistrationError(
            f"{path} cannot be changed ({reason}): make it and its folder writable for user {os.geteuid()},"
            " or set HOME or CLAUDE_CONFIG_DIR to a folder that is."
        ) from error
    return True


def object_at(path: Path, document: Document, *keys: str) -> Document:
    """The object at `keys`, made where it is missing. Raises RegistrationError where something else is there."""
    for key in keys:
        document = document.setdefault(key, {})
        if not isinstance(document, dict):
            raise RegistrationError(f'"{key}" in {path} is no JSON object: correct it or remove it, then try again.')
    return document


def _is_settled(path: Path, target: Path, edit: Edit) -> bool:
    """Whether there is nothing to do, so that a file that cannot be written is none the worse for it."""
    # What is not right may be somebody else's half-written file: it is looked at again under the lock.
    with suppress(OSError, RegistrationError):
        return not edit(_parse(path, _read(path, target)))
    return False


def _read(path: Path, target: Path) -> str:
    try:
        return target.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        _broken(path, "is not in UTF-8")


def _parse(path: Path, text: str) -> Document:
    if not text.strip():
        return {}
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _broken(path, f"is no JSON (line {error.lineno}, column {error.colno})")
    except (ValueError, RecursionError):
        _broken(path, "cannot be read as JSON")
    if not isinstance(document, dict):
        _broken(path, "holds no JSON object")
    return document


def _broken(path: Path, what: str) -> NoReturn:
    raise RegistrationError(f"{path} {what} and was left as it is: correct it or move it away, then try again.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # Python would take NaN and Infinity, which are no JSON


def _serialise(path: Path, document: Document, before: str) -> str:
    """`document` as JSON, indented as the text that it was read from."""
    indented = re.search(r"\n([ \t]+)\S", before)
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indented[1] if indented else 2)
    except ValueError:  # a number that Python reads as infinite
        _broken(path, "cannot be read as JSON")
    # Halves of surrogate pairs can stand in JSON only as escapes.
    text = re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    return text if before and not before.endswith("\n") else f"{text}\n"


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(FileNotFoundError):
                before = target.stat()
                mode = stat.S_IMODE(before.st_mode)
                with suppress(PermissionError):  # only root can give a file away
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
    """Keep other registrations out, wherever they come from, and Claude Code."""
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(path, folder)
        with _clients_lock(path):
            yield
    finally:
        os.close(folder)


def _lock(path: Path, folder: int) -> None:
    deadline = time.monotonic() + OURS_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RegistrationError(f"Another process keeps {path} locked: try again when it is done.") from None
            time.sleep(PAUSE_SECONDS)
            continue
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        return


@contextmanager
def _clients_lock(path: Path) -> Iterator[None]:
    """Hold the lock that Claude Code takes when it rewrites its file: a folder beside it."""
    folder = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + CLIENTS_SECONDS
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
            time.sleep(PAUSE_SECONDS)
        except OSError:
            break  # what cannot be written says so when it is
    try:
        yield
    finally:
        if held:
            with suppress(OSError):
                folder.rmdir()
