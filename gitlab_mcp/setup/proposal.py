"""Changes of files proposed as a merge request from a branch of setup's own; never a push to the default branch."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.api.merge_requests import NewMergeRequest, open_from
from gitlab_mcp.errors import Conflict, NotFound
from gitlab_mcp.git.change import Change
from gitlab_mcp.repository.interface import NewCommit
from gitlab_mcp.setup.job_files import TEMPLATES_FOLDER, text_at
from gitlab_mcp.setup.plan import SetupError
from gitlab_mcp.setup.step import MADE_BY_SETUP, SetupContext

# GitLab looks for the files of an include on the default branch when it checks a text that is not committed yet.
NOT_THERE_YET = re.compile(rf"Local file `/?{re.escape(TEMPLATES_FOLDER)}/\S+` does not exist!")


@dataclass(frozen=True)
class Proposal:
    """A merge request: the files that it changes, None for one that it deletes."""

    branch: str
    files: Mapping[str, str | None]
    title: str
    description: str


def open_proposal(setup: SetupContext, branch: str) -> Entity | None:
    """The open merge request from a branch of the project; None where there is none."""
    return next(iter(open_from(setup.project, branch)), None)


def is_own_branch(setup: SetupContext, name: str) -> bool:
    """Whether a branch exists whose newest commit setup made."""
    try:
        return MADE_BY_SETUP in setup.repository.branch(name).text("commit", "message")
    except NotFound:
        return False


def is_proposed(setup: SetupContext, branch: str, files: Mapping[str, str | None]) -> bool:
    """Whether all files are on a branch as they should be."""
    return all(text_at(setup, path, branch) == text for path, text in files.items())


def check_text(setup: SetupContext, text: str) -> None:
    """Let GitLab check a configuration before it is committed. Raises SetupError with GitLab's own errors."""
    result = setup.gitlab.post(f"{setup.project.path}/ci/lint", {"content": text})
    errors = [error for error in result.texts("errors") if not NOT_THERE_YET.search(error)]
    if errors:
        raise SetupError(
            f"GitLab does not accept the configuration: {'; '.join(errors)}",
            "Nothing was committed. Correct the configuration on the default branch, or add the include by hand.",
        )


def propose(setup: SetupContext, proposal: Proposal) -> None:
    """Commit the files to the branch and open its merge request; what an interrupted run did of it is not repeated."""
    opened = open_proposal(setup, proposal.branch)
    if not is_proposed(setup, proposal.branch, proposal.files):
        if not opened:
            _remove_old(setup, proposal.branch)
        _commit(setup, proposal, on_top=opened is not None)
    try:
        _check_branch(setup, proposal.branch)
    except SetupError:
        if not opened:
            delete_branch(setup, proposal.branch)
        raise
    if not opened:
        wanted = NewMergeRequest(proposal.title, proposal.description, remove_source_branch=True)
        setup.repository.open_merge_request(proposal.branch, setup.facts.default_branch, wanted)


def close_proposal(setup: SetupContext, opened: Entity) -> None:
    """Close a merge request."""
    path = f"{setup.project.path}/merge_requests/{opened.number('iid')}"

    def find() -> Entity | None:
        now = setup.gitlab.get(path)
        return now if now.text("state") == "closed" else None

    check = f"Look at {opened.url('web_url')}."
    write_once(lambda: setup.gitlab.put(path, {"state_event": "close"}), find, check)


def delete_branch(setup: SetupContext, name: str) -> None:
    """Delete a branch of setup's own, which may be gone already."""
    if is_own_branch(setup, name):
        with suppress(NotFound):
            setup.repository.delete_branch(name)


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _remove_old(setup: SetupContext, branch: str) -> None:
    """Delete the branch of an earlier setup. Raises SetupError for a branch of somebody else's."""
    try:
        setup.repository.branch(branch)
    except NotFound:
        return
    if not is_own_branch(setup, branch):
        raise SetupError(
            f"There is a branch {branch} that setup did not make.", "Rename or delete it, then run setup again."
        )
    delete_branch(setup, branch)


def _commit(setup: SetupContext, proposal: Proposal, *, on_top: bool) -> None:
    ref = proposal.branch if on_top else setup.facts.default_branch
    parent = setup.repository.branch(ref).text("commit", "id")
    changes = []
    for path, text in proposal.files.items():
        existing = text_at(setup, path, parent)
        if text != existing:
            action: Literal["create", "update", "delete"] = (
                "delete" if text is None else "create" if existing is None else "update"
            )
            changes.append(Change(action, path, None if text is None else text.encode()))
    message = f"{proposal.title}\n\n{MADE_BY_SETUP}"
    new = NewCommit(proposal.branch, message, changes, parent, {}, is_new=not on_top)
    try:
        setup.repository.create_commit(new)
    except Conflict:
        if not is_proposed(setup, proposal.branch, proposal.files):
            raise


def _check_branch(setup: SetupContext, branch: str) -> None:
    result = setup.gitlab.get(f"{setup.project.path}/ci/lint", content_ref=branch)
    if not result.flag("valid"):
        errors = "; ".join(result.texts("errors"))
        raise SetupError(
            f"GitLab does not accept the configuration on the branch {branch}: {errors}",
            "The branch was deleted. Correct the configuration on the default branch, or add the include by hand.",
        )
