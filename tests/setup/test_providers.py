"""The providers of the model: the inputs that they need, and the commands for the clouds with a project's values."""

import json
import re
from pathlib import Path

import pytest

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.settings import SettingsError
from gitlab_mcp.setup.ci_file import read_ci_file
from gitlab_mcp.setup.facts import SetupFacts
from gitlab_mcp.setup.options import Provider, SetupOptions
from gitlab_mcp.setup.providers import FORMS, checked_inputs, instructions
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.setup_command import Maintainer, file_at
from tests.support.setup_page import PAGE
from tests.support.shellcheck import needs_shellcheck, shellcheck

URL = "https://gitlab.example.com"
FACTS = SetupFacts((19, 2), "maintainer", Entity({"id": 42, "path_with_namespace": "acme/app"}), "main", True, 1)
NAMES = {
    "bedrock": ("aws_role_arn", "aws_region"),
    "vertex": ("gcp_workload_identity_provider", "gcp_service_account", "gcp_project_id", "gcp_region"),
    "oidc": ("federation_rule_id", "organization_id", "service_account_id"),
}
KEYLESS: list[Provider] = ["bedrock", "vertex", "oidc"]


def options(provider: Provider, **changes: str) -> SetupOptions:
    return SetupOptions(provider, {**{name: FORMS[name] for name in NAMES[provider]}, **changes})


def commands(text: str, program: str) -> set[str]:
    """The commands of a program in a text, each on one line with its words in order of the alphabet."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return {" ".join(sorted(line.split())) for line in lines if line.startswith(f"{program} ")}


@pytest.mark.parametrize(("provider", "program"), [("bedrock", "aws"), ("vertex", "gcloud")], ids=["bedrock", "vertex"])
def test_the_commands_are_those_of_the_page_with_the_values_of_the_project(provider: Provider, program: str) -> None:
    shown = "\n".join(instructions(options(provider), FACTS, URL))
    assert commands(shown, program) == commands(PAGE, program)


def test_the_policies_are_those_of_the_page() -> None:
    shown = "\n".join(instructions(options("bedrock"), FACTS, URL))
    policies = [json.loads(text) for text in re.findall(r"<<'END'\n(.*?)\nEND", shown, re.DOTALL)]
    assert policies == [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


@needs_shellcheck
@pytest.mark.parametrize("provider", ["bedrock", "vertex"])
def test_shellcheck_finds_nothing_in_the_commands(provider: Provider, tmp_path: Path) -> None:
    assert shellcheck("\n".join([*instructions(options(provider), FACTS, URL), ""]), tmp_path, "sh") == ""


def test_the_console_is_told_issuer_audience_and_subject() -> None:
    shown = "\n".join(instructions(options("oidc"), FACTS, URL))
    assert f"issuer: {URL}" in shown
    assert "audience https://api.anthropic.com, subject project_path:acme/app:ref_type:branch:ref:*" in shown


@pytest.mark.parametrize("provider", KEYLESS)
def test_an_input_that_a_provider_needs_is_asked_for_with_its_form(provider: Provider) -> None:
    with pytest.raises(SettingsError, match=f"needs {NAMES[provider][0]}.*--input {NAMES[provider][0]}="):
        checked_inputs(SetupOptions(provider))


@pytest.mark.parametrize(
    ("provider", "changes"),
    [
        ("bedrock", {"aws_role_arn": "arn:aws:iam::12:role/x"}),
        ("bedrock", {"aws_region": "Frankfurt"}),
        ("vertex", {"gcp_service_account": "claude"}),
        ("oidc", {"federation_rule_id": "fdrl 1"}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_value_that_does_not_have_its_form_is_refused(provider: Provider, changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="does not have its form"):
        checked_inputs(options(provider, **changes))


def test_a_role_in_a_variable_is_taken_without_commands() -> None:
    [line] = instructions(options("bedrock", aws_role_arn="$AWS_ROLE"), FACTS, URL)
    assert "docs/setup.md has them" in line


@pytest.mark.parametrize("provider", KEYLESS)
def test_a_provider_without_a_key_is_set_up_with_its_template(maintainer: Maintainer, provider: Provider) -> None:
    given = [part for name in NAMES[provider] for part in ("--input", f"{name}={FORMS[name]}")]
    report = maintainer.sets_up("--provider", provider, *given)
    assert report.code == 0
    assert "variable ANTHROPIC_API_KEY" not in report.statuses()
    name = options(provider).template
    text = file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    assert f"local: /.gitlab/claude/{name}.yml" in text
    include = read_ci_file(text).include or {}
    assert {key: include[key] for key in NAMES[provider]} == {key: FORMS[key] for key in NAMES[provider]}
    template = file_at(maintainer.sandbox, f".gitlab/claude/{name}.yml", SETUP_BRANCH)
    assert "local: /.gitlab/claude/claude.yml" in template
    assert file_at(maintainer.sandbox, ".gitlab/claude/claude.yml", SETUP_BRANCH)
    assert maintainer.sets_up("--provider", provider, *given).statuses()["merge-request"] == "in place"
