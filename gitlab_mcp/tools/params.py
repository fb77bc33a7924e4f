"""Parameter types that many tools share: each is described for the model and validated here, once."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gitlab_mcp.safety.validation import INVALID_UNICODE, is_valid_unicode, repository_path
from gitlab_mcp.tools import references

GLOB_CHARACTERS = 1000
BRANCH_BYTES = (
    249  # git's lock file of a branch is named with ".lock" at the end, and a file name has at most 255 bytes
)


def as_text(value: object) -> object:
    """Accept whole numbers where text is expected: agents write 7 as often as "7"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(value: object) -> object:
    value = as_text(value)
    if isinstance(value, float):
        raise ValueError(f'write it as text, such as "{value}": as numbers 1.1 and 1.10 are the same')
    return value


def _reference(value: object) -> object:
    value = as_text(value)
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not value:
        return value  # the argument was left out
    reference = references.parsed(value)
    if reference is None:
        raise ValueError("give an iid such as 7 or #7, or the web URL of the issue or merge request")
    if reference.kind not in ("", "issue", "merge request"):
        raise ValueError(references.hint(reference))
    if int(reference.value) == 0:
        raise ValueError("iids begin at 1")
    return value


def _names(value: object) -> object:
    """Accept a comma-separated text as a list."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        return names
    stripped = [name.strip() if isinstance(name, str) else name for name in names]
    return [name for name in stripped if name != ""]


def _labels(value: object) -> object:
    labels = _names(value)
    if isinstance(value, list) and (joined := [label for label in value if isinstance(label, str) and "," in label]):
        raise ValueError(f'a comma separates labels, and "{joined[0]}" contains one: give each label by itself')
    return labels


def _globs(value: object) -> object:
    globs = _names(value)
    return [_glob(glob) for glob in globs] if isinstance(globs, list) else globs


def _glob(value: object) -> object:
    if not isinstance(value, str):
        return value
    glob = value.removeprefix("./").rstrip("/")
    if glob in ("", "."):
        return "**"
    is_unusable = any(ord(character) < 32 for character in glob) or len(glob) > GLOB_CHARACTERS
    if is_unusable or glob.startswith(("/", ":")) or ".." in glob.split("/"):
        raise ValueError('give globs from the root of the repository, such as "src/**" or "*.md"')
    return glob


def _usernames(value: object) -> object:
    names = _names(value)
    return [_username(name) for name in names] if isinstance(names, list) else names


def _username(value: object) -> object:
    value = as_text(value)
    return value.strip().removeprefix("@") if isinstance(value, str) else value


def _path_or_link(value: object) -> object:
    return value.strip() if isinstance(value, str) and references.is_url(value) else _path(value)


def _folder_or_link(value: object) -> object:
    return value.strip() if isinstance(value, str) and references.is_url(value) else _folder(value)


def _path(value: object) -> object:
    return repository_path(value) if isinstance(value, str) else value


def _folder(value: object) -> object:
    """Accept "." and "/" for the root of the repository."""
    return "" if value in (".", "/") else _path(value)


def _ref(value: object) -> object:
    if not isinstance(value, str):
        return value
    ref = value.strip()
    if not is_valid_unicode(ref):
        raise ValueError(f"a name cannot contain {INVALID_UNICODE}")
    # What `git check-ref-format` refuses, and ranges, which GitLab's API for commits would accept.
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|^[-/.]|/\.|[/.]$", ref):
        suggestion = re.sub(r"[^\w/.]+", "-", ref).strip("-/.").replace("..", ".")
        raise ValueError(f'git refuses "{ref}" as a name{f"; try {suggestion!r}" if suggestion else ""}')
    return ref


def _branch(value: object) -> object:
    name = _ref(value)
    if not isinstance(name, str):
        return name
    if name in ("HEAD", "@"):
        raise ValueError(f"git reserves {name}: give the name of a branch")
    if prefix := re.match(r"refs/(heads|remotes|tags)/", name):
        raise ValueError(f'give the plain name of the branch, "{name.removeprefix(prefix[0])}"')
    if (length := len(name.encode())) > BRANCH_BYTES:
        raise ValueError(
            f"it has {length} bytes, and the name of a branch at most {BRANCH_BYTES}: choose a shorter one"
        )
    return name


def _sha(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return value
    if not re.fullmatch(r"[0-9a-f]{7,64}", value.strip().lower()):
        raise ValueError("give the id of a commit, of at least 7 characters")
    return value.strip().lower()


def _one_line_text(value: object) -> object:
    text = value if isinstance(value, str) else _text(value)
    if isinstance(text, str) and (not text.strip() or any(ord(character) < 32 for character in text)):
        raise ValueError("give a text on one line")
    return text


def _day(value: object) -> object:
    if isinstance(value, str) and value.strip() and not re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
        raise ValueError("give a date such as 2026-11-20")
    return value.strip() if isinstance(value, str) else value


Iid = Annotated[
    str, BeforeValidator(_reference), Field(description="7, #7, !12 or web URL; default: what this run is about")
]
Project = Annotated[str, BeforeValidator(as_text)]
Usernames = Annotated[list[str], BeforeValidator(_usernames)]
Globs = Annotated[
    list[str], BeforeValidator(_globs), Field(description="globs: src/**, *.md (top), **/*.md (anywhere)")
]
Labels = Annotated[list[str], BeforeValidator(_labels)]
Text = Annotated[str, BeforeValidator(_text)]
Username = Annotated[str, BeforeValidator(_username)]
Path = Annotated[str, BeforeValidator(_path)]
PathOrLink = Annotated[str, BeforeValidator(_path_or_link)]
FolderPath = Annotated[str, BeforeValidator(_folder)]
FolderOrLink = Annotated[str, BeforeValidator(_folder_or_link)]
Branch = Annotated[str, BeforeValidator(_branch)]
Ref = Annotated[str, BeforeValidator(_ref)]
Sha = Annotated[str, BeforeValidator(_sha)]
PageNumber = Annotated[int, Field(ge=1)]
Detail = Literal["concise", "full"]
PipelineId = Annotated[int, Field(ge=1)]
JobId = Annotated[int, Field(ge=1)]
OneLineText = Annotated[str, BeforeValidator(_one_line_text)]
OldText = Annotated[str, Field(description="replace only this part")]
DueDate = Annotated[str, BeforeValidator(_day), Field(description="2026-11-20")]
# For a parameter of an update of which an empty value clears the field, instead of standing for "not given".
CLEARABLE = Field(description='"" clears')
CLEARABLE_LIST = Field(description="[] clears")
