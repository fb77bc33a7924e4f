"""References in text: the issues and merge requests that it mentions, and the issues that it closes."""

from __future__ import annotations

import re

from gitlab_mcp.sandbox.state.model import Issuable, Issue, MergeRequest, Project

_MENTION = re.compile(r"(?<![\w&/`])([#!])(\d{1,9})(?!\w)")
# GitLab docs, default closing pattern; a reference may also be written as group/project#7 or as the issue's URL.
_ISSUE = r"(?:[\w./-]+)?#(?:\d+)|https?://[^\s#]+/-/(?:issues|work_items)/\d+"
_CLOSING = re.compile(
    r"\b(?:[Cc]los(?:e[sd]?|ing)|[Ff]ix(?:e[sd]|ing)?|[Rr]esolv(?:e[sd]?|ing)|[Ii]mplement(?:s|ed|ing)?):? +"
    rf"(?:(?:issues? +)?(?:{_ISSUE})(?:(?: *,? +and +| *, *)(?=(?:issues? +)?(?:[\w./-]*#\d|https?://)))?)+"
)
_NUMBER = re.compile(r"([\w./-]*)#(\d+)|https?://[^\s#]+?/((?:[\w.-]+/)+[\w.-]+)/-/(?:issues|work_items)/(\d+)")


def closing_issues(project: Project, text: str) -> list[Issue]:
    """The issues of the project that a commit message or description closes, in the order of the text."""
    issues: list[Issue] = []
    for sentence in _CLOSING.finditer(text):
        for path, number, url_path, url_number in _NUMBER.findall(sentence[0]):
            named_project = path or url_path
            if named_project and not (
                named_project == project.full_path or named_project.endswith(f"/{project.full_path}")
            ):
                continue
            issue = project.issues.get(int(number or url_number))
            if issue is not None and issue not in issues:
                issues.append(issue)
    return issues


def closes(merge_request: MergeRequest) -> list[Issue]:
    """The issues that a merge request closes; GitLab docs: only a merge into the default branch closes issues."""
    project = merge_request.project
    if merge_request.target_branch != project.repository.default_branch:
        return []
    texts = [merge_request.title, merge_request.description or ""]
    version = merge_request.version
    if version.base != version.head:
        texts += [commit.message for commit in project.repository.log([f"{version.base}..{version.head}"])]
    return closing_issues(project, "\n".join(texts))


def mentions(project: Project, text: str) -> list[Issuable]:
    """The issues and merge requests of the project that a text mentions."""
    mentioned: list[Issuable] = []
    for symbol, number in _MENTION.findall(text):
        issuable: Issuable | None
        issuable = project.issues.get(int(number)) if symbol == "#" else project.merge_requests.get(int(number))
        if issuable is not None and issuable not in mentioned:
            mentioned.append(issuable)
    return mentioned
