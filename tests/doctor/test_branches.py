"""Checks of branch protection: the default branch, and the branch of the run."""

from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only
from tests.support.gitlab_requests import get


def test_a_default_branch_that_is_not_protected_is_pointed_out(fresh_sandbox: Sandbox, place: Place) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.protected.clear()
    status, told = only(place, place.job(fresh_sandbox), "default-branch")
    assert status == "warn"
    assert "Settings > Repository > Protected branches" in told


def test_a_branch_of_the_run_that_cannot_be_pushed_to_is_pointed_out(fresh_sandbox: Sandbox, place: Place) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    names = [branch["name"] for branch in get(fresh_sandbox, "/repository/branches")]
    name = next(name for name in names if name != "main")
    job = place.job(fresh_sandbox, CI_COMMIT_BRANCH=name)
    assert "branch" not in place.examine(job).checks
    project.protected[name] = 40
    status, told = only(place, job, "branch")
    assert status == "warn"
    assert "Allowed to push and merge" in told
