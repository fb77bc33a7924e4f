"""The listener's configuration: what a file may say, and that a secret in it is named and never shown."""

from pathlib import Path

import pytest

from gitlab_mcp.config.environment import SettingsError
from gitlab_mcp.mentions.listener.config import ListenerConfig, read_config
from tests.support.listener import SIGNING_TOKEN

SECRET = "glpat-this-is-the-secret-in-the-file"
ENVIRON = {"TOKEN": "glpat-0123456789abcdef0123", "TRIGGER": "glptt-0123456789", "SIGN": SIGNING_TOKEN}
GOOD = (
    '[[projects]]\npath = "acme/app"\naccess_token_env = "TOKEN"\ntrigger_token_env = "TRIGGER"\n'
    'signing_token_env = "SIGN"\n'
)


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> ListenerConfig:
    path = folder / "listen.toml"
    path.write_text(text)
    return read_config(path, ENVIRON if environ is None else environ)


def test_a_project_has_the_secrets_that_its_variables_hold(tmp_path: Path) -> None:
    config = read(tmp_path, f'url = "https://gitlab.example.com/"\n{GOOD}')
    target = config.target("Acme/App")
    assert target
    assert (target.gitlab.url, target.gitlab.credential.token) == ("https://gitlab.example.com", ENVIRON["TOKEN"])
    assert (config.trigger_token(target, 7), target.signing_token) == (ENVIRON["TRIGGER"], SIGNING_TOKEN)
    assert (target.project.handle, target.project.minimum_role, target.ref) == ("claude", 30, "default")
    assert config.target("acme/other") is None


def test_a_secret_can_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    config = read(tmp_path, GOOD.replace('access_token_env = "TOKEN"', f'access_token_file = "{tmp_path}/token"'))
    assert config.targets[0].gitlab.credential.token == SECRET
    assert SECRET in config.secrets


def test_a_project_goes_before_its_group_and_a_near_group_before_a_far_one(tmp_path: Path) -> None:
    defaults = GOOD.split("\n", 2)[2]
    groups = '[[groups]]\npath = "acme"\nhandle = "far"\n[[groups]]\npath = "acme/tools"\nhandle = "near"\n'
    config = read(tmp_path, f'[defaults]\nhandle = "all"\n{defaults}[[projects]]\npath = "acme/app"\n{groups}')
    handles = {path: target.project.handle for path in PATHS if (target := config.target(path))}
    assert handles == {"acme/app": "all", "acme/site": "far", "acme/tools/build": "near"}


PATHS = ("acme/app", "acme/site", "acme/tools/build", "acmeother/app", "acme")


def test_a_group_names_the_trigger_token_of_each_project_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "trigger-7").write_text("of-seven")
    group = GOOD.replace("projects", "groups").replace("acme/app", "acme")
    text = group.replace('trigger_token_env = "TRIGGER"', f'trigger_token_file = "{tmp_path}/trigger-{{id}}"')
    config = read(tmp_path, text)
    assert config.trigger_token(config.targets[0], 7) == "of-seven"
    with pytest.raises(SettingsError, match="trigger_token names a file that cannot be read"):
        config.trigger_token(config.targets[0], 8)


WRONG = {
    "access-token-as-a-value": (f'access_token = "{SECRET}"', "access_token holds a value"),
    "signing-token-as-a-value": (f'signing_token = "{SECRET}"', "signing_token holds a value"),
    "secret-under-a-name-of-its-own": (f'private_token = "{SECRET}"', "private_token holds a value"),
    "value-in-place-of-a-variable": (
        f'secret_token_env = "{SECRET}"',
        "secret_token_env is not the name of a variable",
    ),
    "value-in-place-of-a-file": (f'secret_token_file = "{SECRET}"', "secret_token_file is not an absolute path"),
    "both-ways": ('access_token_file = "/run/token"', "access_token is given twice"),
    "variable-that-is-not-set": ('secret_token_env = "UNSET"', "secret_token_env names a variable that is not set"),
    "file-that-is-not-there": ('secret_token_file = "/no/such"', "secret_token_file names a file that cannot be read"),
    "unknown-key": ("handel = 'claude'", "handel is not a key"),
    "wrong-type": ("enabled = 'yes'", "enabled must be true or false"),
    "number-as-a-text": ("hourly_per_person = '3'", "hourly_per_person must be a whole number"),
    "boolean-as-a-number": ("hourly_per_person = true", "hourly_per_person must be a whole number"),
    "negative": ("daily_budget = -1.5", "daily_budget must not be negative"),
    "role": ("minimum_role = 'guest'", "minimum_role must be one of developer, maintainer, owner"),
    "ref": ("ref = 'main'", 'ref must be "default" or "source"'),
    "handle": ("handle = 'not a handle'", "is not a handle"),
    "not-toml": (f"access_token = {SECRET}", "is not valid TOML (at line 6, column"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_the_key_and_without_the_secret(tmp_path: Path, case: str) -> None:
    line, message = WRONG[case]
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"{GOOD}{line}\n")
    assert message.removesuffix(" (at line 6, column") in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)


MISSING = {
    "no-access-token": ("access_token", "access_token is missing"),
    "no-trigger-token": ("trigger_token", "trigger_token is missing"),
    "no-token-of-the-hook": ("signing_token", "anybody could start runs"),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_file_without_a_secret_that_is_needed_is_refused(tmp_path: Path, case: str) -> None:
    name, message = MISSING[case]
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, "".join(f"{line}\n" for line in GOOD.splitlines() if not line.startswith(name)))


@pytest.mark.parametrize(
    "text",
    ["", "[defaults]\nhandle = 'x'\n", GOOD + GOOD, "projects = 3\n", GOOD.replace("acme/app", "app")],
    ids=["empty", "no-project", "twice", "no-table", "no-group"],
)
def test_a_file_must_name_projects_each_of_them_once(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        read(tmp_path, text)


def test_a_signing_token_has_gitlabs_form(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="signing_token is not a signing token of GitLab"):
        read(tmp_path, GOOD, {**ENVIRON, "SIGN": SECRET})


def test_variables_configure_one_project() -> None:
    environ = {
        "GITLAB_PROJECT": "acme/app",
        "GITLAB_URL": "https://gitlab.example.com",
        "GITLAB_ACCESS_TOKEN": ENVIRON["TOKEN"],
        "GITLAB_MCP_TRIGGER_TOKEN": ENVIRON["TRIGGER"],
        "GITLAB_MCP_SIGNING_TOKEN": SIGNING_TOKEN,
        "GITLAB_MCP_TRIGGER": "@robot",
    }
    config = read_config(None, environ)
    assert [target.path for target in config.targets] == ["acme/app"]
    assert config.targets[0].project.handle == "robot"
    with pytest.raises(SettingsError, match="GITLAB_PROJECT"):
        read_config(None, {})
