"""Checks of what this run is about. They show which variables are set and of what kind, never their text."""

from gitlab_mcp.api.project import Project
from gitlab_mcp.config.job_context import SUBJECT_VARIABLES, read_job
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, Skipped, passed, warned
from gitlab_mcp.errors import NotFound

VARIABLES = ("AI_FLOW_INPUT", "AI_FLOW_CONTEXT", "AI_FLOW_EVENT", "AI_FLOW_DISCUSSION_ID", "TRIGGER_PAYLOAD")


def subject(context: DoctorContext) -> CheckResult | None:
    if not context.in_ci:
        return None
    job = read_job(context.environ)
    present = [name for name in VARIABLES if context.variable(name)]
    source = f" (pipeline source {job.source})" if job.source else ""
    variables = f"; {', '.join(present)} set" if present else "; no AI_FLOW_* variable set"
    if job.foreign:
        return warned(
            f"This run is about merge request {job.sign} from another project{source}{variables}: this job cannot push"
            " to its branch, and has no protected variables",
            "Exclude merge requests from forks in the job's rules: their authors decide what is in the checkout.",
        )
    if job.noun:
        return passed(f"This run is about {job.noun} {job.sign}{source}{variables}")
    remedy = (
        'Run it in merge request pipelines ($CI_PIPELINE_SOURCE == "merge_request_event"), or give the pipeline'
        " AI_FLOW_INPUT and AI_FLOW_CONTEXT, as a mention trigger does (the comment has to contain @claude)."
    )
    unread = ", and the format of AI_FLOW_CONTEXT is not known" if job.unread else ""
    return warned(f"No variable names an issue or merge request for this run{source}{variables}{unread}", remedy)


def flow_input(context: DoctorContext) -> CheckResult | None:
    if not context.environ.get("AI_FLOW_INPUT", "").lstrip().startswith("-"):
        return None
    return warned(
        'AI_FLOW_INPUT begins with "-": claude would take it for options, and these can run commands',
        'Pass it on standard input: printf "%s" "$AI_FLOW_INPUT" | claude -p',
    )


def tracking_note(context: DoctorContext) -> CheckResult | None:
    """Whether the note that a listener made for this run is by the user as whom the run writes."""
    number, job = context.variable("GITLAB_MCP_TRACKING_NOTE"), read_job(context.environ)
    subjects = [(kind, context.variable(name)) for name, kind in SUBJECT_VARIABLES.items()]
    noteables = [f"{kind}/{iid}" for kind, iid in subjects if iid.isdecimal()]
    if not (context.in_ci and number.isdecimal() and noteables):
        return None
    gitlab = context.gitlab()
    if gitlab.settings.credential.kind != "access token":
        return None
    project = Project(gitlab, job.project_id or gitlab.settings.project)
    try:
        author = gitlab.get(f"{project.path}/{noteables[0]}/notes/{number}").text("author", "username")
    except NotFound:
        raise Skipped("the note of the listener is not there", "Mention the handle again.") from None
    own = gitlab.user.text("username")
    if author == own:
        return passed(f"The listener's note is by @{own}, as whom this run writes")
    return warned(
        f"The listener's note is by @{author}, and this run writes as @{own}: it cannot keep that note up to date",
        f'Write job_user = "{own}" in the configuration of the listener, or give both the token of one user.',
    )


CHECKS = (
    Check("context", "what this run is about", subject),
    Check("flow-input", "whether AI_FLOW_INPUT is safe on a command line", flow_input),
    Check("tracking-note", "whether the listener and the job write as the same user", tracking_note),
)
