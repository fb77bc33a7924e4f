"""The merge request that brings the job: the include in .gitlab-ci.yml, its templates, and an example CLAUDE.md."""

from gitlab_mcp.setup.job_files import configuration_path, job_files
from gitlab_mcp.setup.job_removal import removed_files, restorable
from gitlab_mcp.setup.plan import InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.proposal import (
    Proposal,
    check_text,
    close_proposal,
    delete_branch,
    is_own_branch,
    is_proposed,
    open_proposal,
    propose,
)
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext, SetupStep

SETUP_BRANCH, UNDO_BRANCH = "gitlab-mcp-server-setup", "gitlab-mcp-server-setup-undo"
TITLE, UNDO_TITLE = "Run Claude Code in CI/CD", "Take Claude Code out of CI/CD"

DESCRIPTION = """\
Adds the job `{job}`, in which Claude Code works on this project with the tools of gitlab-mcp-server.

Check before you merge:

- In the pipeline of this merge request, the log of the job names the credential of the run and what it lacks.
- `{path}` is as before, except for the include{header}.
- `CLAUDE.md` is what every run is told about this project: replace an example with your own rules.
- The job costs what the model costs: `max_turns`, `max_budget` and `rules` are inputs of the include.

{marker} `gitlab-mcp-server setup --undo` takes it out again.
"""
LISTENER_HEADER = ", and for the inputs at its head, which a listener for mentions sets"


class MergeRequestStep(SetupStep):
    """Nothing is pushed to the default branch: a person merges the job, or does not."""

    id = "merge-request"
    needs = ("package", "allow-list")

    def look(self, setup: SetupContext) -> Outcome:
        default, path = setup.facts.default_branch, configuration_path(setup)
        files = job_files(setup, default)
        if not files.changed:
            return InPlace(f"{path} on {default} includes the job {files.job}", setup.facts.project.url("web_url"))
        opened = open_proposal(setup, SETUP_BRANCH)
        if opened and is_proposed(setup, SETUP_BRANCH, files.changed):
            url = opened.url("web_url")
            return InPlace(f"merge request !{opened.number('iid')} brings the job {files.job}", url)
        check_text(setup, files.wanted[path])
        before = f"!{opened.number('iid')}, with an older state" if opened else "absent"
        return PlannedChange(
            f"Merge request into {default}",
            f"it brings the job {files.job}; only the pipeline of the merge request runs it before you merge",
            before,
            ", ".join(sorted(files.changed)),
        )

    def apply(self, setup: SetupContext) -> None:
        files = job_files(setup, setup.facts.default_branch)
        record = setup.state.record(self.id)
        setup.state.keep(self.id, **restorable(setup, files, record))
        description = DESCRIPTION.format(
            job=files.job,
            path=configuration_path(setup),
            header=LISTENER_HEADER if setup.options.listener_url else "",
            marker=MADE_BY_SETUP,
        )
        propose(setup, Proposal(SETUP_BRANCH, files.changed, TITLE, description))

    def look_undo(self, setup: SetupContext) -> Outcome:
        if opened := open_proposal(setup, SETUP_BRANCH):
            after = f"closed, and the branch {SETUP_BRANCH} deleted"
            return PlannedChange(f"Merge request !{opened.number('iid')}", "setup opened it", "open", after)
        if is_own_branch(setup, SETUP_BRANCH):
            return PlannedChange(f"Branch {SETUP_BRANCH}", "setup made it", "there", "deleted")
        files = removed_files(setup, setup.state.record(self.id))
        if not files:
            return InPlace(f"{configuration_path(setup)} includes no job of setup's")
        if (opened := open_proposal(setup, UNDO_BRANCH)) and is_proposed(setup, UNDO_BRANCH, files):
            return InPlace(f"merge request !{opened.number('iid')} takes the job out", opened.url("web_url"))
        return PlannedChange(
            f"Merge request into {setup.facts.default_branch}",
            "setup's job was merged",
            "absent",
            f"{UNDO_TITLE}: {', '.join(sorted(files))}",
            question="The job was merged. Open a merge request that takes it out?",
        )

    def undo(self, setup: SetupContext) -> None:
        opened = open_proposal(setup, SETUP_BRANCH)
        if opened:
            close_proposal(setup, opened)
        if opened or is_own_branch(setup, SETUP_BRANCH):
            delete_branch(setup, SETUP_BRANCH)
        elif files := removed_files(setup, setup.state.record(self.id)):
            text = f"Takes out what setup added; variables and settings are not part of it.\n\n{MADE_BY_SETUP}"
            propose(setup, Proposal(UNDO_BRANCH, files, UNDO_TITLE, text))
