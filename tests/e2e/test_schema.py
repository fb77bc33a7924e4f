"""The templates and the examples against the official schema of .gitlab-ci.yml, which gitlab-ci-local has, and what
they are after all that is included and extended.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.e2e.ci_local import needs_ci_local
from tests.e2e.template_job import ALWAYS
from tests.support.paths import REPOSITORY
from tests.support.setup_page import blocks
from tests.support.templates import ALL, EXAMPLES, PROVIDERS, TEMPLATE, header, interpolated, repository

pytestmark = needs_ci_local


def validated(
    folder: Path, text: str, *more: tuple[str, str], variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """What gitlab-ci-local says of a .gitlab-ci.yml, with `more` files beside it."""
    for name, content in ((".gitlab-ci.yml", text), *more):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    # It includes only what git knows.
    repository(folder, "main")
    subprocess.run(["git", "remote", "add", "origin", "http://127.0.0.1:9/acme/app.git"], cwd=folder, check=True)
    # The list is made only after the schema was held against it all.
    line = ["gitlab-ci-local", "--list-json", "--state-dir", "state", "--no-color", "--force-shell-executor"]
    for name, value in variables.items():
        line += ["--variable", f"{name}={value}"]
    line += ["--ignore-predefined-vars", ",".join(variables)] if variables else []
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def jobs_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return {job["name"]: job for job in json.loads(done.stdout)}


TEMPLATES = [(f"templates/{path.name}", path.read_text()) for path in ALL.values()]


@pytest.mark.parametrize(
    "example", sorted(EXAMPLES.rglob("*.yml")), ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}"
)
def test_every_example_is_what_gitlabs_schema_wants(example: Path, tmp_path: Path) -> None:
    text = example.read_text()
    # The component is this repository's own, which no server has here.
    text = re.sub(r"- component: \S+/([a-z-]+)@.*", r"- local: /templates/\1.yml", text)
    if "page" in example.parts and "stages:" not in text:
        text = f"stages: [ai]\n{text}"  # the page has these below the first, which has it
    assert jobs_of(validated(tmp_path, text, *TEMPLATES))


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda text: text.splitlines()[-1].strip().partition(":")[0])
def test_what_the_setup_page_has_to_be_copied_is_what_gitlabs_schema_wants(block: str, tmp_path: Path) -> None:
    if "include:" not in block:
        block = f"{blocks('yaml')[0]}\n{block}"  # it stands beside the quick setup's
    text = re.sub(r"- component: \S+/([a-z-]+)@.*", r"- local: /templates/\1.yml", block)
    assert len(jobs_of(validated(tmp_path, text, *TEMPLATES))) == 1


@pytest.mark.parametrize(
    ("given", "jobs"),
    [
        ({"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}, {"commands", "everything"}),
        ({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}, {"commands", "everything", "server-image"}),
        ({"CI_COMMIT_TAG": "anything", "CI_COMMIT_BRANCH": ""}, {"commands", "everything"}),
        (
            {"CI_COMMIT_TAG": "0.2.0", "CI_COMMIT_BRANCH": ""},
            {"commands", "everything", "wheel", "server-image", "claude-image", "release"},
        ),
    ],
    ids=["merge-request", "default-branch", "tag", "version"],
)
def test_the_projects_own_pipeline_is_valid_and_publishes_versions_only(
    given: Mapping[str, str], jobs: set[str], tmp_path: Path
) -> None:
    text = (REPOSITORY / ".gitlab-ci.yml").read_text()
    variables = {"CI_COMMIT_TAG": "", "CI_DEFAULT_BRANCH": "main", **given}
    found = jobs_of(validated(tmp_path, text, variables=variables))
    running = {name for name, job in found.items() if job["when"] != "never"}
    assert {name.partition(":")[0] for name in running} == jobs
    assert [found[name]["when"] for name in running if name == "claude-image"] in ([], ["manual"])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_job_on_a_cloud_is_valid_and_has_all_of_the_job_that_it_extends(provider: str, tmp_path: Path) -> None:
    given = header(PROVIDERS[provider])
    values = {name: f"$OF_{name.upper()}" for name, one in given.items() if "default" not in one}
    shared = {"job_name": "review", "stage": "deploy", "timeout_minutes": 5, "rules": ALWAYS, "interruptible": True}
    cache = [{"key": "claude-npm", "paths": [".npm/"]}]
    shared |= {"resource_group": "one", "cache": cache, "image": "node:24-slim"}
    clouded = json.dumps({"include": [{"local": f"/templates/claude-{provider}.yml", "inputs": {**values, **shared}}]})
    plain = json.dumps({"include": [{"local": "/templates/claude.yml", "inputs": shared}]})
    for name, text in (("clouded", clouded), ("plain", plain)):
        (tmp_path / name).mkdir()
        assert list(jobs_of(validated(tmp_path / name, text, *TEMPLATES))) == ["review"]
    ours, theirs = (preview(tmp_path / name) for name in ("clouded", "plain"))
    # Its own lines stand before those of the job that it extends, of which none is missing.
    signing_in = ours.partition("  before_script:\n")[2].partition(
        "    - |\n      # An empty or relative entry of PATH"
    )[0]
    assert "CLAUDE_ID_TOKEN" in signing_in
    tokens = "  id_tokens:\n    CLAUDE_ID_TOKEN:\n      aud: " + given["id_token_audience"]["default"] + "\n"
    assert tokens in ours
    assert ours.replace(signing_in, "").replace(tokens, "") == theirs


def preview(folder: Path) -> str:
    """A pipeline's text as it is after all that was included and extended."""
    line = ["gitlab-ci-local", "--preview", "--state-dir", "state", "--no-color"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_gitlabs_schema_does_not_want_is_refused(tmp_path: Path) -> None:
    done = validated(tmp_path, "claude:\n  script: [true]\n  interruptible: perhaps\n")
    assert done.returncode != 0


@pytest.mark.parametrize(
    "given", [{}, {"job_name": "review", "stage": "deploy", "interruptible": True, "timeout_minutes": 5}]
)
def test_the_template_with_and_without_inputs_is_what_gitlabs_schema_wants(
    given: dict[str, object], tmp_path: Path
) -> None:
    include = json.dumps({"include": [{"local": "/claude.yml", "inputs": given}]})
    jobs = jobs_of(validated(tmp_path, include, ("claude.yml", TEMPLATE.read_text())))
    assert list(jobs) == [given.get("job_name", "claude")]
    assert [job["stage"] for job in jobs.values()] == [given.get("stage", "test")]


def test_the_template_is_valid_with_values_put_into_its_text(tmp_path: Path) -> None:
    cache = [{"key": "claude-npm", "paths": [".npm/"]}]
    given = {"prompt": "- a: \"b\" 'c' # d \\ {e} [f] | & * ! % @ `g` $HOME", "cache": cache}
    assert list(jobs_of(validated(tmp_path, interpolated(given)))) == ["claude"]


OWN = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_MERGE_REQUEST_PROJECT_ID": "7", "GITLAB_USER_LOGIN": "developer"}
FORK = {**OWN, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8"}
BOT = {**OWN, "GITLAB_USER_LOGIN": "project_7_bot_0123456789abcdef"}


@pytest.mark.parametrize(
    ("source", "more", "runs"),
    [
        ("web", {}, True),
        ("api", {}, True),
        ("trigger", {}, True),
        ("merge_request_event", OWN, True),
        ("merge_request_event", FORK, False),
        ("merge_request_event", BOT, False),
        ("push", {}, False),
        ("schedule", {}, False),
    ],
    ids=["web", "api", "trigger", "merge-request", "fork", "bot", "push", "schedule"],
)
def test_the_default_rules_skip_merge_requests_from_forks_and_the_runs_own_commits(
    source: str, more: Mapping[str, str], runs: bool, tmp_path: Path
) -> None:
    include = '{"include": [{"local": "/claude.yml"}]}'
    given = {"CI_PIPELINE_SOURCE": source, **more}
    jobs = jobs_of(validated(tmp_path, include, ("claude.yml", TEMPLATE.read_text()), variables=given))
    assert jobs["claude"]["when"] == ("on_success" if runs else "never")
