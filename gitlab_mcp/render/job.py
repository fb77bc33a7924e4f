"""What a run is about, as an agent reads it: facts, then other people's words, quoted."""

from gitlab_mcp.api.identity import Identity
from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.render.markdown import cut, facts, quote
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.sanitize import one_line

# Together they stay below what one answer may have.
WORDS_BYTES = {"input": 10_000, "description": 8_000, "comments": 12_000, "unread": 6_000}

WITHHELD = (
    "\nWhat was asked, and what the issue or merge request said then, is withheld (--trusted-only): it does not come"
    " with its authors. get_issue and get_merge_request show the words of those who are known."
)


def job_context(settings: Settings, identity: Identity) -> str:
    """What the run is about, with whom the credential belongs to."""
    job = settings.job
    head = [
        f"# {_heading(job)}",
        facts(
            f"project: {one_line(settings.project, 255) or 'none'}",
            f"pipeline: {job.pipeline}{f' ({job.source})' if job.source else ''}" if job.pipeline else "",
            f"branch: {job.branch}" if job.branch else "",
            f"into: {job.target_branch}" if job.target_branch else "",
            "from another project: its branch cannot be committed to" if job.foreign else "",
            f"asked by {mention(job.asked_by)}" if job.asked_by else "",
            f"answers in discussion {job.discussion}" if job.discussion else "",
        ),
        _credential(settings, identity),
    ]
    return "\n".join([*head, *([WITHHELD] if settings.trusted_only else _words(job))])


def _heading(job: JobContext) -> str:
    event = f" ({job.event})" if job.event else ""
    if job.noun:
        return f"This run is about {job.noun} {job.sign}{event}"
    return f"This run is about no single issue or merge request{event}" if job.pipeline else "This is no CI job"


def _credential(settings: Settings, identity: Identity) -> str:
    """Which credential there is and what it may do, as far as GitLab says."""
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


def _words(job: JobContext) -> list[str]:
    parts = []
    if job.input.strip():
        parts.append(f"\n## What was asked\n{cut(quote(job.input), WORDS_BYTES['input'])}")
    if job.title.strip() or job.description.strip():
        title = f"> {one_line(job.title, 300)}" if job.title.strip() else ""
        text = cut(quote(job.description), WORDS_BYTES["description"]) if job.description.strip() else ""
        parts.append("\n".join(filter(None, (f"\n## {job.sign} as it was when the run began", title, text))))
    if job.comments.strip():
        parts.append(f"\n## Its comments then\n{cut(quote(job.comments), WORDS_BYTES['comments'])}")
    if job.unread.strip():
        parts.append(f"\n## Context in a form that is not known here\n{cut(quote(job.unread), WORDS_BYTES['unread'])}")
    return parts
