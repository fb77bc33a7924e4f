"""What this run is about, as far as its variables say: their presence and kind, never their text."""

from gitlab_mcp.config.job_context import read_job
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult, passed, warned

VARIABLES = ("AI_FLOW_INPUT", "AI_FLOW_CONTEXT", "AI_FLOW_EVENT", "AI_FLOW_DISCUSSION_ID", "TRIGGER_PAYLOAD")


def context(around: DoctorContext) -> CheckResult | None:
    if not around.in_ci:
        return None
    job = read_job(around.environ)
    present = [name for name in VARIABLES if around.variable(name)]
    begun = f" (pipeline source {job.source})" if job.source else ""
    told = f"; {', '.join(present)} set" if present else "; no AI_FLOW_* variable set"
    if job.foreign:
        return warned(
            f"This run is about merge request {job.sign} from another project{begun}{told}: this job cannot push to its"
            " branch, and has no protected variables",
            "Leave merge requests from forks out of the job's rules: their authors decide what is in the checkout.",
        )
    if job.noun:
        return passed(f"This run is about {job.noun} {job.sign}{begun}{told}")
    remedy = (
        'Run it in merge request pipelines ($CI_PIPELINE_SOURCE == "merge_request_event"), or give the pipeline'
        " AI_FLOW_INPUT and AI_FLOW_CONTEXT, as a mention trigger does (the comment has to contain @claude)."
    )
    unread = ", and AI_FLOW_CONTEXT has no form that is known" if job.unread else ""
    return warned(f"Nothing says which issue or merge request this run is about{begun}{told}{unread}", remedy)


def flow_input(around: DoctorContext) -> CheckResult | None:
    if not around.environ.get("AI_FLOW_INPUT", "").lstrip().startswith("-"):
        return None
    return warned(
        'AI_FLOW_INPUT begins with "-": claude would take it for options, and these can run commands',
        'Give it on standard input: printf "%s" "$AI_FLOW_INPUT" | claude -p',
    )


CHECKS = (
    Check("context", "what this run is about", context),
    Check("flow-input", "whether AI_FLOW_INPUT is safe on a command line", flow_input),
)
