"""Checks of the checkout's files: the job that runs claude, and the files that claude obeys."""

import time
from pathlib import Path

import pytest

from tests.support.doctor import CONFIGURATION, Place, only
from tests.support.paths import REPOSITORY

LACKS, UNTOLD = "warn", "skipped"
SCRIPTS = [
    # Which line runs claude.
    (CONFIGURATION, "pass"),
    (CONFIGURATION.replace("mcp__gitlab", "") + "other:\n  script: echo --allowedTools mcp__gitlab\n", LACKS),
    ("x:\n  script: echo claude -p hi --allowedTools mcp__gitlab", UNTOLD),
    ("x:\n  # --allowedTools mcp__gitlab\n  script: printf hi | claude -p", LACKS),
    ("x:\n  script:\n    - |\n      # claude -p --allowedTools mcp__gitlab\n      claude -p hi", LACKS),
    ("x:\n  variables: {A: claude}\n  environment: claude -p --allowedTools mcp__gitlab", UNTOLD),
    ("claude:\n  stage: claude\n  script:\n    - npm install @anthropic-ai/claude-code", UNTOLD),
    ("x:\n  script:\n    - claude --version\n    - claude mcp list", UNTOLD),
    ("x:\n  script: bash -c 'claude -p hi --allowedTools mcp__gitlab'", UNTOLD),
    ("x:\n  script: A=b ~/.local/bin/claude -p hi --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script: timeout 9m npx -y @anthropic-ai/claude-code -p hi --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n  - if ! out=$(claude -p hi --allowedTools mcp__gitlab 2>&1); then exit 1; fi", "pass"),
    ("x:\n  script: cat in | claude -p > out --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n  - |\n    cat <<'E' | claude -p\n    it's claude -p --allowedTools mcp__gitlab\n    E", LACKS),
    ("x:\n  script:\n  - |\n    cat >in <<E\n    it's\n    E\n    claude -p --allowedTools mcp__gitlab <in", "pass"),
    # How its words are written in YAML.
    (".run: &run\n  - claude -p hi --allowedTools mcp__gitlab\nx:\n  script: *run", "pass"),
    ('x:\n  script: ["claude -p hi", "claude -p --allowedTools mcp__gitlab"]', UNTOLD),
    ('x:\n  script: [\n    "claude -p hi, you --allowedTools mcp__gitlab",\n  ]', UNTOLD),
    ("x:\n  script:\n    - claude -p hi\n      --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n    - 'claude -p ''hi''\n      --allowedTools mcp__gitlab'", UNTOLD),
    ('x:\n  script:\n    - "claude -p \\"hi: you\\"\n      --allowedTools mcp__gitlab"', UNTOLD),
    ("x:\n  script:\n    - |\n      claude -p hi \\\n        --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n    - |\n      claude -p hi\n      --allowedTools mcp__gitlab", LACKS),
    ("x:\n  script:\n    - >\n      claude -p hi\n      --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n    - >\n      claude -p hi\n        --allowedTools mcp__gitlab", LACKS),
    ("x:\n  script: >-\n    claude -p hi\n      --model x\n    --allowedTools mcp__gitlab", LACKS),
    ('x:\n  script:\n    - |\n      claude -p "hi\n\n      you" --allowedTools mcp__gitlab 2>&1 | tee log', "pass"),
    ("x:\n  script:\n    - echo\n  environment: |\n    claude -p hi\n    - claude -p hi", UNTOLD),
    ("x:\n  script:\n    - !reference [.x, script]\n    - claude -p --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script: claude -p 'hi", UNTOLD),
    # What it is given.
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" mcp__gitlab__get_issue', "pass"),
    ("x:\n  script: claude -p hi --allowed-tools=Bash,mcp__gitlab", "pass"),
    ("x:\n  script: claude -p hi --allowedTools Bash --allowedTools mcp__gitlab", "pass"),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" # mcp__gitlab', LACKS),
    ('x:\n  script:\n    - >\n      claude -p hi --allowedTools "Bash"  # mcp__gitlab later', LACKS),
    ("x:\n  script: claude -p hi --allowedTools mcp__gitlabfoo", LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(echo mcp__gitlab)"', LACKS),
    ('x:\n  script: claude -p hi --disallowedTools "mcp__gitlab" --allowedTools "Bash"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" --model mcp__gitlab', LACKS),
    ('x:\n  script: claude -p "$AI_FLOW_INPUT" --allowedTools "Bash"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(git commit -m *)" 2>&1 | tee log', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(git commit -m *) mcp__gitlab"', "pass"),
    ('x:\n  script: claude -p "${A:-\'be kind\'}" --allowedTools "$TOOLS"', UNTOLD),
    ('x:\n  script:\n    - set -- -p --allowedTools mcp__gitlab\n    - claude "$@"', UNTOLD),
]


@pytest.mark.parametrize(("text", "status"), SCRIPTS)
def test_the_job_in_the_checkout_is_read_for_the_tools_that_it_allows(
    place: Place, nowhere: str, text: str, status: str
) -> None:
    (place.directory / ".gitlab-ci.yml").write_text(text)
    found = only(place, place.local(nowhere), "allowed-tools")
    assert found[0] == status, found
    if status != "pass":
        assert "mcp__gitlab" in found[1]


def test_tools_that_are_allowed_by_name_are_some_of_them(place: Place, nowhere: str) -> None:
    (place.directory / ".gitlab-ci.yml").write_text(
        "x:\n  script: claude -p hi --allowedTools mcp__gitlab__get_issue\n"
    )
    status, told = only(place, place.local(nowhere), "allowed-tools")
    assert status == "pass"
    assert "some of them, by name" in told


def test_lines_of_several_jobs_that_differ_in_the_tools_are_counted(place: Place, nowhere: str) -> None:
    text = "x:\n  script: claude -p hi --allowedTools mcp__gitlab\ny:\n  script:\n    - claude -p other\n"
    (place.directory / ".gitlab-ci.yml").write_text(text)
    status, told = only(place, place.local(nowhere), "allowed-tools")
    assert status == "skipped"
    assert "1 of the 2 lines that run it" in told


PAGE_JOBS = sorted((REPOSITORY / "examples" / "page").glob("*.yml"))


@pytest.mark.parametrize("job", PAGE_JOBS, ids=lambda path: path.name)
def test_the_jobs_of_the_page_and_their_examples_allow_the_tools(place: Place, nowhere: str, job: Path) -> None:
    for path in (job, REPOSITORY / "examples" / job.name):
        text = path.read_text()
        (place.directory / ".gitlab-ci.yml").write_text(text)
        assert only(place, place.local(nowhere), "allowed-tools")[0] == "pass"
        (place.directory / ".gitlab-ci.yml").write_text(text.replace("mcp__gitlab", ""))
        assert only(place, place.local(nowhere), "allowed-tools")[0] == LACKS


@pytest.mark.parametrize("name", ["claude", "claude-bedrock", "claude-vertex"])
def test_the_templates_take_the_tools_from_an_input(place: Place, nowhere: str, name: str) -> None:
    (place.directory / ".gitlab-ci.yml").write_text((REPOSITORY / "templates" / f"{name}.yml").read_text())
    assert only(place, place.local(nowhere), "allowed-tools")[0] == UNTOLD


@pytest.mark.parametrize(
    "piece",
    [
        "a: [",
        "- '",
        '- "',
        "x: |\n",
        "- <<A\n",
        "- ${",
        "- \\",
        "  " * 99,
        "a:",
        "- - ",
        "&a !b ",
        "#",
        "(",
        "'\"",
        ">",
        "claude -p\n",
    ],
)
def test_a_large_configuration_that_is_none_is_read_in_no_time(place: Place, nowhere: str, piece: str) -> None:
    for before in ("script:\n", "script: |\n  claude -p "):
        (place.directory / ".gitlab-ci.yml").write_text(before + piece * (1_000_000 // len(piece)))
        began = time.process_time()
        assert only(place, place.local(nowhere), "allowed-tools")[0] in (LACKS, UNTOLD)
        assert time.process_time() - began < 15


def test_files_that_claude_obeys_are_named(place: Place, nowhere: str) -> None:
    assert "obeyed-files" not in place.examine(place.local(nowhere)).checks
    (place.directory / ".claude").mkdir()
    (place.directory / ".claude" / "settings.json").write_text("{}")
    (place.directory / ".mcp.json").write_text("{}")
    status, told = only(place, place.local(nowhere), "obeyed-files")
    assert status == "warn"
    assert ".mcp.json, .claude/settings.json" in told
    assert "--setting-sources user" in told
