"""Checks of the programs that a run needs: git and claude."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only


def test_without_git_a_job_with_nothing_but_its_token_fails(sandbox: Sandbox, place: Place) -> None:
    (place.programs / "git").unlink()
    status, told = only(place, place.job(sandbox), "git")
    assert status == "fail"
    assert "Install git" in told
    assert only(place, place.local(sandbox.url, sandbox.tokens["developer"]), "git")[0] == "warn"


def test_claude_is_looked_for_on_path_and_where_its_installer_puts_it(place: Place, nowhere: str) -> None:
    environ = place.local(nowhere)
    report = place.examine(environ)
    assert report.of("claude")[0] == "warn"
    assert "https://claude.ai/install.sh" in report.of("claude")[1]
    assert "claude-version" not in report.checks
    place.has_claude(folder=place.home / ".local" / "bin")
    report = place.examine(environ)
    assert report.of("claude")[0] == "warn"
    assert 'export PATH="$HOME/.local/bin:$PATH"' in report.of("claude")[1]
    assert report.of("claude-version")[0] == "pass"
    place.has_claude()
    assert place.examine(environ).of("claude")[0] == "pass"


def test_in_a_job_claude_must_be_there(sandbox: Sandbox, place: Place) -> None:
    assert only(place, place.job(sandbox), "claude")[0] == "fail"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("echo '2.0.76 (Claude Code)'", "warn"),
        ("echo '2.1.0 (Claude Code)'", "pass"),
        ("echo broken; exit 1", "skipped"),
        ('echo "$GITLAB_ACCESS_TOKEN 1.2.3"', "warn"),
    ],
)
def test_the_version_of_claude_is_asked(place: Place, nowhere: str, script: str, status: str) -> None:
    place.has_claude(script)
    assert only(place, place.local(nowhere), "claude-version")[0] == status
