"""Commits as an agent reads them."""

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.markdown import confirmed, count, facts
from gitlab_mcp.repository.commit_files import CommitOutcome
from gitlab_mcp.safety.sanitize import one_line


def commit_row(commit: Entity) -> str:
    """A commit in a list."""
    author = one_line(commit.text("author_name"), 60)
    return facts(
        f"{commit.sha('short_id') or commit.sha('id')[:8]} {one_line(commit.text('title'), 150)}",
        author,
        commit.day("committed_date"),
    )


def committed(done: CommitOutcome, pipelines: str) -> str:
    """What a commit answers: its id, the branch, how many files it touched in which way, and what starts for it."""
    commit = done.made.commit.result
    start = f" (new branch from {done.start})" if done.start else ""
    kinds = [
        ("added", "create"),
        ("changed", "update"),
        ("deleted", "delete"),
        ("moved", "move"),
        ("mode changed", "chmod"),
    ]
    counted = [
        f"{number} {word}" for word, action in kinds if (number := sum(each.action == action for each in done.changes))
    ]
    unchanged = f", {count(done.unchanged, 'file')} already as wanted" if done.unchanged else ""
    identity = commit.sha("short_id") or commit.sha("id")[:8]
    left_out = one_line(", ".join(done.left_out), 500)
    notes = "".join(f"\n{one_line(note, 1000)}" for note in done.remarks)
    remark = f"\nLeft out, being links or stored by a filter such as LFS: {left_out}" if left_out else ""
    return (
        f"Committed {one_line(identity, 40)} to {done.branch}{start}: {', '.join(counted)}{unchanged}."
        f"{confirmed(done.made.commit)} {pipelines}\n{commit.url('web_url')}{remark}{notes}"
    )
