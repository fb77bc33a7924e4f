"""Render commits."""

import re

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.markdown import confirmed, count, facts
from gitlab_mcp.repository.commit_files import FILES_NAMED, CommitOutcome, left_out_text
from gitlab_mcp.safety.sanitize import one_line

# What makes GitLab skip the pipelines of a commit: https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline
SKIPS_CI = re.compile(r"\[(?:ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)


def commit_row(commit: Entity) -> str:
    """Render a commit in a list."""
    author = one_line(commit.text("author_name"), 60)
    return facts(
        f"{commit.sha('short_id') or commit.sha('id')[:8]} {one_line(commit.text('title'), 150)}",
        author,
        commit.day("committed_date"),
    )


def committed(done: CommitOutcome, pipelines: str) -> str:
    """Render the answer of commit_files: the commit's id, its branch, and how many files it added, changed and so on.

    Files that globs found are named where they are few: the agent did not name them itself. `pipelines` says which
    pipelines start for a commit whose message does not skip them.
    """
    commit = done.made.commit.result
    if skip := SKIPS_CI.search(commit.text("message")):
        pipelines = f"No pipeline runs: the message says {skip[0]}."
    start = f" (new branch from {done.start})" if done.start else ""
    kinds = [
        ("added", "create"),
        ("changed", "update"),
        ("deleted", "delete"),
        ("moved", "move"),
        ("mode changed", "chmod"),
    ]
    counts = [
        f"{number} {word}"
        for word, action in kinds
        if (number := sum(change.action == action for change in done.changes))
    ]
    unchanged = f", {count(done.unchanged, 'file')} already up to date" if done.unchanged else ""
    identity = commit.sha("short_id") or commit.sha("id")[:8]
    # A client that fills in every argument gives an empty content that nobody meant.
    empty = [change.path for change in done.changes if change.content == b"" and not change.from_disk]
    emptied = f"\nEmpty now, as content said: {one_line(', '.join(empty), 500)}" if empty else ""
    remarks = "".join(f"\n{one_line(remark, 1000)}" for remark in done.remarks)
    omitted = f"\n{left_out_text(done.left_out).rstrip()}" if done.left_out else ""
    paths = [change.path for change in done.changes] if done.from_globs and len(done.changes) <= FILES_NAMED else []
    files = f"\nFiles: {one_line(', '.join(paths), 500)}" if paths else ""
    return (
        f"Committed {one_line(identity, 40)} to {done.branch}{start}: {', '.join(counts)}{unchanged}."
        f"{confirmed(done.made.commit)} {pipelines}\n{commit.url('web_url')}{emptied}{files}{omitted}{remarks}"
    )
