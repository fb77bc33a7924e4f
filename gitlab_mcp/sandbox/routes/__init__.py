"""The REST routes, a module per GitLab noun; importing a module registers its routes."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "users",
    "projects",
    "namespaces",
    "members",
    "ci_variables",
    "access_tokens",
    "labels",
    "milestones",
    "issues",
    "issue_links",
    "notes",
    "discussions",
    "award_emoji",
    "resource_events",
    "time_tracking",
    "merge_requests",
    "merging",
    "merge_request_diffs",
    "approvals",
    "draft_notes",
    "branches",
    "protected_branches",
    "tags",
    "commits",
    "commit_writes",
    "commit_comments",
    "commit_statuses",
    "compare",
    "tree",
    "files",
    "pipelines",
    "pipeline_runs",
    "job_artifacts",
    "runners",
    "job_token_scope",
    "packages",
    "generic_packages",
    "search",
    "all_projects",
    "releases",
    "wikis",
    "todos",
    "subscriptions",
    "uploads",
    "archives",
    "webhooks",
    "triggers",
)


def load() -> None:
    """Register every route."""
    for name in MODULES:
        import_module(f"{__name__}.{name}")
