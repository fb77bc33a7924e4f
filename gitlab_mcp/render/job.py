"""Render what a run is about: facts, then the text that other people wrote, quoted."""

from collections.abc import Sequence

from gitlab_mcp.api.identity import Identity
from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import naming
from gitlab_mcp.render.markdown import cut, facts, quote
from gitlab_mcp.render.user_text import SINCE, mention, ref_name
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.safety.write_back import not_as_stored

# Together they stay below ANSWER_BYTES.
QUOTED_BYTES = {"input": 10_000, "description": 8_000, "comments": 12_000, "unread": 6_000}

WITHHELD = (
    "\nWhat was asked, and the text of the issue or merge request at that time, is withheld (--trusted-only), because"
    " its authors are not known."
)


def job_context(settings: Settings, identity: Identity, edits: Sequence[str]) -> str:
    """Render the answer of get_job_context: what the run is about, and its credential with its owner.

    `edits` say what was edited after the run was asked for.
    """
    job = settings.job
    head = [
        f"# {_heading(job)}",
        facts(
            f"project: {one_line(settings.project, 255) or 'none'}",
            f"pipeline: {job.pipeline}{f' ({job.source})' if job.source else ''}" if job.pipeline else "",
            f"branch: {ref_name(job.branch)}" if job.branch else "",
            f"tag: {ref_name(job.tag)}" if job.tag else "",
            f"into: {ref_name(job.target_branch)}" if job.target_branch else "",
            f"goes on with !{job.continues}" if job.continues else "",
            "from another project: its branch cannot be committed to" if job.foreign else "",
            f"asked by {mention(job.asked_by)}" if job.asked_by else "",
            f"answers in discussion {job.discussion}" if job.discussion else "",
        ),
        _credential(settings, identity),
        *([f"edited {SINCE}: {', '.join(edits)}"] if edits else []),
    ]
    if settings.trusted_only:
        return "\n".join([*head, _withheld()])
    texts = (job.input, job.description, job.comments, job.unread)
    remark = not_as_stored(texts, plain_texts=[job.title], advice="")
    return "\n".join([*head, *_quoted(job), *([f"\n{remark}"] if remark else [])])


def _withheld() -> str:
    return WITHHELD + naming(" For what trusted authors wrote there, use {}.", "get_issue", "get_merge_request")


def _heading(job: JobContext) -> str:
    event = f" ({job.event})" if job.event else ""
    if job.noun:
        return f"This run is about {job.noun} {job.sign}{event}"
    if job.pipeline:
        return f"This run is not about a single issue or merge request{event}"
    return "This run is not a CI job"


def _credential(settings: Settings, identity: Identity) -> str:
    """Return the credential, its owner and what it may do, as far as GitLab shows it."""
    credential = settings.credential
    user = identity.user.text("username")
    scopes = ", ".join(one_line(scope, 40) for scope in identity.scopes)
    return facts(
        f"credential: {credential.variable} ({credential.kind}{f' of {mention(user)}' if user else ''})",
        f"scopes: {scopes}" if scopes else "",
        f"expires: {identity.token.day('expires_at')}" if identity.token.day("expires_at") else "",
        "writes by git push" if identity.pushes() else "",
        "read-only run" if settings.read_only else "",
    )


def _quoted(job: JobContext) -> list[str]:
    """Return the parts that people wrote, each under a heading."""
    parts = []
    if job.input.strip():
        parts.append(f"\n## What was asked\n{cut(quote(job.input), QUOTED_BYTES['input'])}")
    if job.title.strip() or job.description.strip():
        title = f"> {one_line(job.title, 300)}" if job.title.strip() else ""
        text = cut(quote(job.description), QUOTED_BYTES["description"]) if job.description.strip() else ""
        parts.append("\n".join(filter(None, (f"\n## {job.sign} as it was when the run began", title, text))))
    if job.comments.strip():
        parts.append(f"\n## Its comments then\n{cut(quote(job.comments), QUOTED_BYTES['comments'])}")
    if job.unread.strip():
        parts.append(f"\n## Context in an unknown format\n{cut(quote(job.unread), QUOTED_BYTES['unread'])}")
    return parts
