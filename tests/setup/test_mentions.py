"""`setup --mentions URL`: trigger token, webhook, the inputs in the header, and the configuration of the listener."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.mentions.listener.config import ListenerConfig, read_config
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.setup.ci_file import read_ci_file
from gitlab_mcp.setup.job_files import MENTION_INPUTS
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.gitlab_requests import get, send
from tests.support.setup_command import Maintainer, file_at, stored, things_of

URL = "https://listener.example.com/webhook"
STEPS = ["trigger-token", "webhook", "listener"]


def folder(maintainer: Maintainer) -> Path:
    return maintainer.home / ".config" / "gitlab-mcp-server" / "listener"


def environ(maintainer: Maintainer) -> dict[str, str]:
    """The variables that listen.env sets."""
    lines = (folder(maintainer) / "listen.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def config(maintainer: Maintainer) -> ListenerConfig:
    """The configuration as the listener itself reads it."""
    return read_config(folder(maintainer) / "listen.toml", environ(maintainer))


def listening(sandbox: Sandbox) -> dict[str, Any]:
    """What a setup for mentions adds to a project."""
    return {
        **things_of(sandbox),
        "triggers": [row["description"] for row in get(sandbox, "/triggers")],
        "hooks": [row["url"] for row in get(sandbox, "/hooks")],
        "role": get(sandbox, "")["ci_pipeline_variables_minimum_override_role"],
    }


def test_the_listener_reads_a_configuration_with_working_secrets(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    role = listening(sandbox)["role"]
    report = maintainer.sets_up("--mentions", URL)
    assert report.code == 0
    assert [report.of(step)[0] for step in STEPS] == ["done"] * 3
    [target] = config(maintainer).targets
    assert (target.path, target.ref, config(maintainer).url) == ("acme/app", "default", sandbox.url)
    assert target.gitlab.credential.token == stored(sandbox)["GITLAB_ACCESS_TOKEN"]
    [trigger] = get(sandbox, "/triggers")
    assert target.trigger_token == trigger["token"]
    [hook] = get(sandbox, "/hooks")
    assert (hook["url"], hook["note_events"], hook["issues_events"], hook["merge_requests_events"]) == (
        URL,
        *[True] * 3,
    )
    assert (hook["push_events"], hook["confidential_note_events"]) == (False, False)
    assert hook["signing_token_present"] is True
    assert target.signing_token.startswith("whsec_")
    assert listening(sandbox)["role"] == role


def test_no_value_is_in_the_configuration_and_the_values_are_private(maintainer: Maintainer) -> None:
    maintainer.sets_up("--mentions", URL)
    text = (folder(maintainer) / "listen.toml").read_text()
    assert environ(maintainer).keys() == {
        f"CLAUDE_{name}_{maintainer.sandbox.project_id}" for name in ("ACCESS_TOKEN", "TRIGGER_TOKEN", "SIGNING_TOKEN")
    }
    assert [value for value in environ(maintainer).values() if value in text] == []
    assert (folder(maintainer) / "listen.env").stat().st_mode & 0o777 == 0o600
    assert folder(maintainer).stat().st_mode & 0o777 == 0o700


def test_the_inputs_are_declared_at_the_head_and_passed_on(maintainer: Maintainer) -> None:
    maintainer.sets_up("--mentions", URL)
    found = read_ci_file(file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH))
    assert list(found.inputs) == list(MENTION_INPUTS)
    include = found.include or {}
    assert {name: include[name] for name in MENTION_INPUTS} == {
        name: f"$[[ inputs.{name} ]]" for name in MENTION_INPUTS
    }


def test_a_second_run_finds_it_in_place_and_an_undo_takes_it_back(maintainer: Maintainer) -> None:
    before = listening(maintainer.sandbox)
    maintainer.sets_up("--mentions", URL)
    after = listening(maintainer.sandbox)
    kept = environ(maintainer)
    report = maintainer.sets_up("--mentions", URL)
    assert set(report.statuses().values()) == {"in place"}
    assert (listening(maintainer.sandbox), environ(maintainer)) == (after, kept)
    assert maintainer.sets_up("--undo").code == 0  # whatever the options of the setup were
    assert listening(maintainer.sandbox) == before
    assert list(folder(maintainer).iterdir()) == []


def test_mentions_are_added_to_a_project_that_was_set_up_without(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    report = maintainer.sets_up("--mentions", URL)
    assert report.code == 0
    [token] = get(maintainer.sandbox, "/access_tokens?state=active")
    [target] = config(maintainer).targets
    assert maintainer.sandbox.world.tokens[target.gitlab.credential.token].id == token["id"]
    assert target.gitlab.credential.token == stored(maintainer.sandbox)["GITLAB_ACCESS_TOKEN"]
    [opened] = [name for name in things_of(maintainer.sandbox)["merge_requests"] if "setup" in name]
    assert list(read_ci_file(file_at(maintainer.sandbox, ".gitlab-ci.yml", opened)).inputs) == list(MENTION_INPUTS)


def test_secrets_that_were_lost_on_this_machine_are_made_anew(maintainer: Maintainer) -> None:
    maintainer.sets_up("--mentions", URL)
    old = environ(maintainer)
    (folder(maintainer) / "listen.env").unlink()
    assert maintainer.sets_up("--mentions", URL).code == 0
    new = environ(maintainer)
    assert new.keys() == old.keys()
    assert {name for name in old if old[name] == new[name]} == {f"CLAUDE_TRIGGER_TOKEN_{maintainer.sandbox.project_id}"}
    things = listening(maintainer.sandbox)
    assert (len(things["tokens"]), len(things["triggers"]), len(things["hooks"])) == (1, 1, 1)
    config(maintainer)


def test_a_webhook_of_somebody_elses_to_the_listener_is_left_alone(maintainer: Maintainer) -> None:
    send(maintainer.sandbox, "POST", "/hooks", "maintainer", url=URL, note_events=True, push_events=False)
    report = maintainer.sets_up("--mentions", URL)
    assert report.of("webhook")[0] == "in place"
    assert len(get(maintainer.sandbox, "/hooks")) == 1


def test_a_table_of_another_project_stays_in_the_configuration(maintainer: Maintainer) -> None:
    folder(maintainer).mkdir(parents=True)
    url = maintainer.sandbox.url
    own = f'# Ours.\nurl = "{url}"\n\n[[projects]]\npath = "acme/other" # since May\naccess_token_env = "A"\n'
    path = folder(maintainer) / "listen.toml"
    path.write_text(own)
    path.chmod(0o600)
    maintainer.sets_up("--mentions", URL)
    assert path.read_text().startswith(own)
    maintainer.sets_up("--mentions", URL, "--undo")
    assert path.read_text() == own


@pytest.mark.parametrize(
    ("text", "reason"),
    [("url = [", "not valid TOML"), ('url = "https://gitlab.example.com"\n', "another GitLab")],
    ids=["not TOML", "of another GitLab"],
)
def test_a_configuration_that_cannot_be_extended_is_named(maintainer: Maintainer, text: str, reason: str) -> None:
    folder(maintainer).mkdir(parents=True)
    path = folder(maintainer) / "listen.toml"
    path.write_text(text)
    path.chmod(0o600)
    report = maintainer.sets_up("--mentions", URL)
    assert report.code == 1
    assert reason in report.of("listener")[1]
    assert path.read_text() == text


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Maintainer]:
    with Sandbox(fault_injection=True, version="18.5.0") as running:
        yield Maintainer(tmp_path, running)


def test_before_gitlab_19_the_webhook_has_a_secret_token(older: Maintainer) -> None:
    older.sandbox.faults.clear()
    assert older.sets_up("--mentions", URL).code == 0
    [sent] = [row["body"] for row in older.sandbox.faults.requests() if row["path"].endswith("/hooks") and row["body"]]
    assert ("token" in sent, "signing_token" in sent) == (True, False)
    [target] = config(older).targets
    assert target.signing_token == ""
    assert len(target.secret_token) > 40
    assert set(older.sets_up("--mentions", URL).statuses().values()) == {"in place"}
