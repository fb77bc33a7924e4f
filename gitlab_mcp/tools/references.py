"""References that people paste: web addresses of GitLab's pages, and its short forms #7, !12, acme/app#7, acme/app!12.

The routes are those of GitLab's config/routes/project.rb, with "/-/" and, from before GitLab 16.0, without it.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from gitlab_mcp.config.job_context import NUMBER
from gitlab_mcp.errors import naming

SHORT = re.compile(r"(?P<project>[\w.-]+(?:/[\w.-]+)+)?(?P<sign>[#!])?(?P<iid>\d{1,18})(?:\+s?)?")
NOTE = re.compile(r"note_(\d{1,18})")
LINE_ANCHOR = re.compile(r"L(\d{1,9})(?:-L?(\d{1,9}))?")

# The kind of a page, by the first part of its path below the project's.
KINDS = {
    "issues": "issue",
    "incidents": "issue",
    "work_items": "issue",
    "merge_requests": "merge request",
    "jobs": "job",
    "builds": "job",
    "pipelines": "pipeline",
    "blob": "file",
    "raw": "file",
    "blame": "file",
    "edit": "file",
    "tree": "folder",
    "commit": "commit",
    "commits": "history",
    "compare": "comparison",
    "branches": "branch",
    "tags": "tag",
    "wikis": "wiki page",
    "releases": "release",
    "milestones": "milestone",
}
GROUP = "page of a group"
NUMBERED = ("issue", "merge request", "job", "pipeline")


@dataclass(frozen=True)
class Reference:
    """What a reference names. `project` is the URL or the path of its project, "" where it does not say.

    `value` is the number of an issue, merge request, job or pipeline, else what follows in the path: a ref, a ref and a
    path, or a slug. `note` is the id of a comment, `lines` the first and last line of a file (0 where not given).
    """

    kind: str
    project: str
    value: str
    note: str = ""
    lines: tuple[int, int] = (0, 0)


def parsed(text: str) -> Reference | None:
    """What a reference names; None for other text. A bare number names something whose kind is ""."""
    text = text.strip()
    if is_url(text):
        return _of_url(text)
    match = SHORT.fullmatch(text)
    if match is None or (match["project"] and not match["sign"]):
        return None
    kind = {"#": "issue", "!": "merge request"}.get(match["sign"] or "", "")
    return Reference(kind, match["project"] or "", match["iid"])


def is_url(text: str) -> bool:
    """Whether a text is a web address."""
    # Only the scheme ignores case: to compile this class of characters without regard to case takes milliseconds.
    return re.match(r"\s*(?i:https?)://[^\x00-\x20\x7f-\x9f]+\s*\Z", text) is not None


def _of_url(url: str) -> Reference | None:
    try:
        parts = urlsplit(url)
    except ValueError:  # not a URL, such as http://[x
        return None
    path, fragment = unquote(parts.path).rstrip("/"), unquote(parts.fragment)
    site = f"{parts.scheme}://{parts.netloc}"
    if shown := _shown(parts.query):
        full_path, iid = shown
        above = path.partition("/-/")[0]
        # What is before the group or the project is the folder of a GitLab below a relative URL.
        folder = re.split(rf"/(?:groups|dashboard|{re.escape(full_path.split('/')[0])})(?:/|\Z)", above)[0]
        kind = "issue" if "/" in full_path else GROUP
        return Reference(kind, f"{site}{folder}/{full_path}", iid)
    project, page = _split(path)
    if not page:
        return None
    first, _, rest = page.partition("/")
    kind = KINDS.get(first, "")
    if re.search(r"(^|/)groups/", project) or first == "epics":
        return Reference(GROUP, site + project, page)
    note, lines = NOTE.fullmatch(fragment), LINE_ANCHOR.fullmatch(fragment)
    if kind in NUMBERED:
        numbered = re.fullmatch(r"(?:incident/)?(\d{1,18})(?:\.(?:diff|patch|json))?(?:/.*)?", rest)
        if numbered is None:
            return None
        return Reference(kind, site + project, numbered[1], note[1] if note else "")
    if not kind or not rest:
        return None
    first_line = int(lines[1]) if lines else 0
    last_line = int(lines[2] or lines[1]) if lines else 0
    return Reference(kind, site + project, rest, note[1] if note else "", (first_line, last_line))


def _split(path: str) -> tuple[str, str]:
    """The path of the project, and that of the page below it; "" and "" where no page of a project is named."""
    project, dash, page = path.partition("/-/")
    if dash:
        return project, page
    segments = path.split("/")
    for index in range(3, len(segments)):
        if segments[index] in KINDS:
            return "/".join(segments[:index]), "/".join(segments[index:])
    return "", ""


def _shown(query: str) -> tuple[str, str] | None:
    """The project and iid of a work item that a page shows at its side: `?show=` with JSON in base64."""
    for text in parse_qs(query).get("show", ()):
        try:
            item = json.loads(base64.b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, ValueError):
            continue
        if isinstance(item, dict) and NUMBER.fullmatch(str(item.get("iid", ""))):
            full_path = item.get("full_path")
            if isinstance(full_path, str) and full_path:
                return full_path, str(item["iid"])
    return None


def hint(reference: Reference) -> str:
    """What a link names, and the tool and parameter that take it, where the run lists that tool."""
    if reference.kind == GROUP:
        return "It is a page of a group, whose epics and work items no tool here reads: a person can open it"
    tools = {
        "issue": ("get_issue", "iid"),
        "merge request": ("get_merge_request", "iid"),
        "job": ("get_job_log", "job_id"),
        "pipeline": ("get_pipeline", "pipeline_id"),
        "file": ("get_file", "path"),
        "folder": ("list_files", "path"),
        "history": ("list_commits", "path"),
        "commit": ("get_commit", "ref"),
        "tag": ("get_commit", "ref"),
        "comparison": ("compare_refs", "base"),
        "wiki page": ("get_wiki_page", "slug"),
    }
    tool, parameter = tools.get(reference.kind, ("", ""))
    article = "an" if reference.kind == "issue" else "a"
    return f"It is the URL of {article} {reference.kind or 'page'}{naming(f': {{}} takes it as {parameter}', tool)}"
