"""The tool that reviews a merge request."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.api.reviews.placement import LineComment, place
from gitlab_mcp.api.reviews.submit import Review
from gitlab_mcp.errors import Conflict, InvalidArgument, Refused
from gitlab_mcp.render import merge_request_diffs as render
from gitlab_mcp.repository.changed_files import changed_files
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Iid, Project, Sha

COMMENTS = 50


class ReviewComment(BaseModel):
    """A comment on a line of the diff: body, suggestion or both."""

    model_config = ConfigDict(extra="forbid")

    path: str  # not validated here: when the comment is placed, a wrong path fails this comment and no other
    line: Annotated[int, Field(ge=1, description="as numbered by get_merge_request_diff")]
    body: str = ""
    start_line: Annotated[int, Field(ge=0, description="first line of a range; line: last")] = 0
    side: Annotated[Literal["new", "old"], Field(description="old: a removed line")] = "new"
    suggestion: Annotated[str | None, Field(description='code to put in place of these lines; "" removes')] = None


Comments = Annotated[list[ReviewComment], Field(max_length=COMMENTS)]
Verdict = Literal["comment", "approve", "request_changes"]


@tool(toolset="merge_requests", writes=True, idempotent=True, job_token=False)
def review_merge_request(
    ctx: Ctx,
    iid: Iid = "",
    summary: str = "",
    comments: Comments = [],
    verdict: Verdict = "comment",
    sha: Sha = "",
    submit: bool = True,
    project: Project = "",
) -> str:
    """Review a merge request in one call: comments on lines, a summary, a verdict. People get one notification.

    A comment whose line is not in the diff is named in the answer; the others are posted. Repeating the call posts
    nothing twice. sha (may be short): refuse if no longer its head. submit false: leave drafts for a person to publish.
    """
    target = ctx.noteable("merge request", iid, project)
    url = target.web_url  # fetched before the write, because nothing may fail after it
    merge_request, files = changed_files(target, ctx.repository(target.project))
    _check(merge_request, verdict, sha)
    if not submit and verdict != "comment":
        raise InvalidArgument("A verdict cannot be a draft: leave verdict out, or submit.")
    line_comments = [LineComment(**comment.model_dump()) for comment in comments]
    placed, misplaced = place(ctx.gitlab, merge_request.entity("diff_refs"), files, line_comments)
    body = ctx.gitlab.outgoing(summary.strip())
    if not placed and not body and (verdict != "approve" or misplaced):
        raise InvalidArgument(_nothing_to_post(misplaced, files))
    review = Review(merge_request, placed, body, verdict)
    if not submit:
        outcome = ctx.app.reviews.draft(target, review)
        return render.drafted(merge_request, outcome, misplaced, url, ctx.gitlab.user)
    outcome = ctx.app.reviews.submit(target, review)
    return render.reviewed(merge_request, outcome, verdict, misplaced, url)


def _check(merge_request: Entity, verdict: Verdict, sha: str) -> None:
    """Raise Refused for a verdict on a merge request that is not open, Conflict when its head is not `sha` any more."""
    state, head = one_line(merge_request.text("state"), 20), merge_request.sha("sha")
    if verdict != "comment" and state != "opened":
        raise Refused(
            f'The merge request is {state}, so that it takes no verdict any more: verdict "comment" still comments.'
        )
    if sha and not head.startswith(sha):
        raise Conflict(f"Its head is {head[:12]} now, not {sha[:12]}: read the diff again. Nothing was posted.")


def _nothing_to_post(misplaced: list[str], files: list[ChangedFile]) -> str:
    """Return the error message for a review of which nothing can be posted."""
    if not misplaced:
        return "Give comments, a summary or verdict: approve."
    reasons = "\n".join(misplaced[:10])
    return f"None of these comments can be posted ({len(files)} files changed), so nothing was posted.\n{reasons}"
