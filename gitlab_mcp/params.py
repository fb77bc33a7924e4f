"""Parameters that recur in many tools, each described and checked once."""

import re
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field

REFERENCE = re.compile(r"[#!]?(\d{1,18})")
WEB_PATH = re.compile(
    r"/(?P<project>.+?)/-/(?P<noun>issues|work_items|merge_requests)/(?P<iid>\d{1,18})(?:/\w*)*(?:#note_(?P<note>\d{1,18}))?"
)


def as_text(value: object) -> object:
    """Numbers are taken where text is expected: agents write 7 as often as "7"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _reference(value: object) -> object:
    value = as_text(value)
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not value:
        return value  # left out
    if not (match := REFERENCE.fullmatch(value)):
        if value.lower().startswith(("http://", "https://")) and web_reference(value):
            return value
        raise ValueError("give an iid such as 7 or #7, or the web URL of the issue or merge request")
    if int(match[1]) == 0:
        raise ValueError("iids begin at 1")
    return value


def _names(value: object) -> object:
    """A comma-separated text is taken for a list."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        return names
    stripped = [name.strip() if isinstance(name, str) else name for name in names]
    return [name for name in stripped if name != ""]


def _usernames(value: object) -> object:
    names = _names(value)
    return [_username(name) for name in names] if isinstance(names, list) else names


def _username(value: object) -> object:
    return value.strip().removeprefix("@") if isinstance(value, str) else value


def _path(value: object) -> object:
    if not isinstance(value, str):
        return value
    path = value.removeprefix("./")
    if path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        raise ValueError('give a path from the root of the repository, such as "src/app.py", not an absolute one')
    parts = path.rstrip("/").split("/")
    if ".." in parts or "." in parts or ("" in parts and path.rstrip("/")):
        raise ValueError('a path in a repository has no ".", ".." or empty part')
    if any(part.lower() == ".git" for part in parts):
        raise ValueError("no path in a repository goes through .git")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ValueError("a path cannot hold control characters")
    return path.rstrip("/")


def _ref(value: object) -> object:
    if not isinstance(value, str):
        return value
    ref = value.strip()
    # What `git check-ref-format` refuses, plus ranges, which GitLab's list of commits would follow.
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|^[-/.]|/\.|[/.]$", ref):
        suggestion = re.sub(r"[^\w/.]+", "-", ref).strip("-/.").replace("..", ".")
        raise ValueError(f'git refuses "{ref}" as a name{f"; try {suggestion!r}" if suggestion else ""}')
    return ref


def _words(value: object) -> object:
    words = value.strip() if isinstance(value, str) else as_text(value)
    if isinstance(words, str) and (not words or any(ord(character) < 32 for character in words)):
        raise ValueError("give a text on one line")
    return words


def _day(value: object) -> object:
    if isinstance(value, str) and value.strip() and not re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
        raise ValueError("give a day as 2026-11-20")
    return value.strip() if isinstance(value, str) else value


def web_reference(url: str) -> re.Match[str] | None:
    """The project, noun, iid and note id that a web URL of an issue or merge request names, or None."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all, such as http://[x
        return None
    return WEB_PATH.fullmatch(unquote(parts.path) + (f"#{parts.fragment}" if parts.fragment else ""))


Iid = Annotated[
    str, BeforeValidator(_reference), Field(description="iid (7 or #7) or web URL; left out: what this run is about")
]
Project = Annotated[str, BeforeValidator(as_text)]
Usernames = Annotated[list[str], BeforeValidator(_usernames)]
Globs = Annotated[list[str], BeforeValidator(_names)]
Labels = Annotated[list[str], BeforeValidator(_names)]
Username = Annotated[str, BeforeValidator(_username)]
Path = Annotated[str, BeforeValidator(_path)]
Branch = Annotated[str, BeforeValidator(_ref)]
Ref = Annotated[str, BeforeValidator(_ref)]
PageNumber = Annotated[int, Field(ge=1)]
Detail = Literal["concise", "full"]
Words = Annotated[str, BeforeValidator(_words)]
DueDate = Annotated[str, BeforeValidator(_day), Field(description="2026-11-20")]

# A right value for each parameter, for the error that a wrong one gets.
EXAMPLES: dict[str, object] = {
    "actions": [{"path": "src/app.py", "content": "print()\n"}],
    "assignee": "username",
    "assignees": ["username"],
    "author": "username",
    "base": "main",
    "body": "Done in !12.",
    "branch": "fix-7-empty-config",
    "description": "Closes #7",
    "detail": "full",
    "draft": True,
    "end_line": 80,
    "head": "fix-7-empty-config",
    "iid": "7",
    "internal": True,
    "labels": ["bug"],
    "add_labels": ["bug"],
    "remove_labels": ["bug"],
    "line_numbers": True,
    "milestone": "1.4",
    "merge_request": {"title": "Handle an empty configuration file"},
    "message": "Handle an empty configuration file",
    "on": "issue",
    "page": 2,
    "path": "src/app.py",
    "paths": ["src/**"],
    "project": "group/app",
    "recursive": True,
    "ref": "main",
    "remove_source_branch": True,
    "reply_to": "101",
    "reviewer": "username",
    "reviewers": ["username"],
    "search": "empty",
    "source_branch": "fix-7-empty-config",
    "squash": True,
    "start_line": 1,
    "state": "opened",
    "target_branch": "main",
    "title": "Handle an empty configuration file",
    "due_date": "2026-11-20",
    "confidential": True,
    "mine": True,
    "slug": "home",
}
