"""Tools that merge and rebase: an opt-in toolset of their own."""

from gitlab_mcp.api import merging
from gitlab_mcp.api.field_comparison import given
from gitlab_mcp.errors import InvalidArgument, naming
from gitlab_mcp.render import merging as render
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Iid, Project, Sha


@tool(toolset="merge", writes=True, destructive=True, idempotent=True, job_token=False, opt_in=True)
def merge_merge_request(
    ctx: Ctx,
    sha: Sha,
    iid: Iid = "",
    auto_merge: bool = False,
    squash: bool | None = None,
    remove_source_branch: bool | None = None,
    project: Project = "",
) -> str:
    """Merge a merge request if its head is still sha. auto_merge: as soon as its pipeline and approvals allow it."""
    if not sha:
        raise InvalidArgument(
            f"sha is empty: give the head that you reviewed{naming(', which {} shows', 'get_merge_request')}."
        )
    target = ctx.noteable("merge request", iid, project)
    written = merging.merge(target, merging.Merge(sha, auto_merge, squash, remove_source_branch))
    asked = given({"squash": squash, "remove_source_branch": remove_source_branch})
    is_merged = written.result.text("state") == "merged"
    branch = merging.source_branch(target, written.result) if is_merged and "remove_source_branch" in asked else None
    return render.merged(written, asked, target.sign, branch)


@tool(toolset="merge", writes=True, destructive=True, idempotent=True, job_token=False, opt_in=True)
def rebase_merge_request(ctx: Ctx, iid: Iid = "", project: Project = "") -> str:
    """Rebase the source branch of a merge request onto its target branch."""
    target = ctx.noteable("merge request", iid, project)
    return render.rebased(merging.rebase(target), target.sign)
