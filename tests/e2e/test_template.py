"""templates/claude.yml with the real CLI: what a stranger wrote and what was checked out instruct it in no other way
than as the text of the task.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.ci_local import STAND_INS, Job, installed_server, needs_ci_local, run_job
from tests.e2e.claude import USERS, Place, fresh_place
from tests.e2e.hostile_checkout import HOSTILE, hooks, servers
from tests.e2e.model import Call, Model, Request, Script, Turn
from tests.e2e.template_job import ALWAYS, NPM, commit, remote
from tests.support.gitlab_requests import send
from tests.support.seed import SEED, SeededItem
from tests.support.started_runs import digest
from tests.support.templates import TEMPLATE, interpolated
from tests.support.tracking_notes import asked, texts

pytestmark = needs_ci_local

RULES = "Rules of the target branch: `echo it` \"quoted\" 'too', $HOME.\n"
PROMPT = 'Don\'t look; say: "a # b" `c` $HOME $(touch MARK) [d] {e} \\n - f'


@dataclass(frozen=True)
class Run:
    """A job of the template, over."""

    job: Job
    requests: list[Request]
    marks: list[str]  # what ran that should not have

    @property
    def asked(self) -> list[str]:
        """The texts of the first request's user messages."""
        contents = [message["content"] for message in self.requests[0].messages if message["role"] == "user"]
        blocks = [[{"text": one}] if isinstance(one, str) else one for one in contents]
        return [str(block.get("text")) for one in blocks for block in one]

    @property
    def sent(self) -> str:
        """All that the model got, of all requests."""
        return json.dumps([request.body for request in self.requests], ensure_ascii=False)


@pytest.fixture(scope="module")
def gitlab(sandbox: Sandbox) -> Sandbox:
    """The sandbox, with what instructs an agent on its default branch."""
    with fresh_place() as place:
        files = {"CLAUDE.md": RULES, "prompts/review.md": "--version\nThe prompt of the target branch.\n"}
        commit(place, sandbox, files)
        token = sandbox.tokens["maintainer"]
        place.git("push", "--quiet", remote(sandbox, f"oauth2:{token}@"), "HEAD:refs/heads/main")
        # A branch that has so many rules that no command line could take them, and one whose CLAUDE.md is a link.
        commit(place, sandbox, {"CLAUDE.md": "--settings={}\n" + "é rule\n" * 40000})
        place.git("push", "--quiet", remote(sandbox, f"oauth2:{token}@"), "HEAD:refs/heads/long")
        place.git("rm", "--quiet", "CLAUDE.md")
        (place.work / "CLAUDE.md").symlink_to("AGENTS.md")
        commit(place, sandbox, {"AGENTS.md": "Rules behind a link."})
        place.git("push", "--quiet", remote(sandbox, f"oauth2:{token}@"), "HEAD:refs/heads/linked")
    return sandbox


@pytest.fixture
def place() -> Iterator[Place]:
    with fresh_place() as fresh:
        yield fresh


def run(
    place: Place,
    gitlab: Sandbox,
    variables: Mapping[str, str],
    *,
    files: Mapping[str, str] | None = None,
    inputs: Mapping[str, object] | None = None,
    text: str = "",
    script: Script = (),
) -> Run:
    """Run the job in a checkout of the sandbox's project, with `files` in it, by its own .gitlab-ci.yml or `text`."""
    marked = {name: content.replace("MARK", str(place.folder / "mark")) for name, content in (files or {}).items()}
    given = {
        "CI_JOB_TOKEN": gitlab.tokens["job"],
        "CI_PROJECT_ID": str(gitlab.project_id),
        "CI_PROJECT_PATH": gitlab.project,
        "CI_PROJECT_URL": f"{gitlab.url}/{gitlab.project}",
        "CI_SERVER_URL": gitlab.url,
        "CI_API_V4_URL": f"{gitlab.url}/api/v4",
        "CI_DEFAULT_BRANCH": "main",
        **{name: value.replace("MARK", str(place.folder / "mark")) for name, value in variables.items()},
    }
    with installed_server(place.user), Model(script) as model:
        # Where the model is, in CI only an input says.
        own = {"rules": ALWAYS, "base_url": model.url, **(inputs or {})}
        include = json.dumps({"include": [{"local": "/claude.yml", "inputs": own}]})
        ours = {".gitlab-ci.yml": (text or include).replace("MODEL", model.url), "claude.yml": TEMPLATE.read_text()}
        commit(place, gitlab, {**ours, **marked})
        job = run_job(place, model, given, stand_ins={**STAND_INS, "npm": NPM})
    return Run(job, model.requests, sorted(path.name for path in place.folder.glob("mark*")))


STRANGERS = {
    "an-option": "--version",
    "a-short-option": "-h",
    "settings": "--settings=" + json.dumps({"hooks": hooks("MARK")}),
    "servers": f"--mcp-config={servers('MARK', 'other')}",
    "quotes": 'it\'s "quoted"; touch MARK # \'" && touch MARK',
    "newlines": "first\n\n  second\n--version\n",
    "substitution": "$(touch MARK) ${HOME} $HOME $((1+1)) <(touch MARK)",
    "back-ticks": "`touch MARK` ```sh\ntouch MARK\n```",
    "a-leading-blank": "  --version",
    "backslashes": "\\n \\x41 %s %n \\",
    "letters": "\u00e9\u6f22\U0001f600\u200b\ttab",
    "a-bang": "!touch MARK",
}


@pytest.mark.parametrize("written", STRANGERS.values(), ids=STRANGERS)
def test_what_a_stranger_wrote_reaches_the_model_as_it_is_and_nothing_runs(
    place: Place, gitlab: Sandbox, written: str
) -> None:
    ran = run(place, gitlab, {"AI_FLOW_INPUT": written, "AI_FLOW_EVENT": "mention"})
    assert ran.job.returncode == 0, ran.job.done
    assert written.replace("MARK", str(place.folder / "mark")) in ran.asked
    assert ran.marks == []
    assert len(ran.requests) == 1
    assert "\u25cf DONE" in ran.job.log.splitlines()
    assert gitlab.tokens["job"] not in ran.job.log
    if len(written) > 15:
        assert written.splitlines()[-1] not in ran.job.log


@pytest.mark.parametrize("written", ["/config verbose=true", "/init", "/compact\nplease", "/evil"])
def test_a_command_of_the_cli_that_a_stranger_wrote_is_a_text_too(place: Place, gitlab: Sandbox, written: str) -> None:
    evil = {".claude/commands/evil.md": "---\nallowed-tools: Bash(*)\n---\n!`touch MARK`"}
    ran = run(place, gitlab, {"AI_FLOW_INPUT": written}, files=evil)
    assert ran.job.returncode == 0, ran.job.done
    assert f"\n{written}" in ran.asked
    assert ran.marks == []


def test_a_file_that_a_stranger_mentions_is_not_read_for_the_model(place: Place, gitlab: Sandbox) -> None:
    written = "See @private.txt and @/proc/self/environ and @/etc/hostname"
    ran = run(place, gitlab, {"AI_FLOW_INPUT": written}, files={"private.txt": "what stands in private.txt"})
    assert written in ran.asked
    assert "what stands in" not in ran.sent
    assert "Result of calling the Read tool" not in ran.sent


def test_a_text_that_no_environment_could_hold_reaches_the_model_whole(place: Place, gitlab: Sandbox) -> None:
    # As a runner sets it: by a line of the shell, before any program is started.
    # Both at the end: after them there is no tr.
    both = json.dumps("y=$(printf '%200000s' '' | tr ' ' y) x=$(printf '%200000s' '' | tr ' ' x)")
    text = "\n".join(
        (
            "include:",
            "  - local: /claude.yml",
            "    inputs: {job_name: base, base_url: MODEL, rules: [{when: never}]}",
            "claude:",
            "  extends: base",
            f"  rules: {json.dumps(ALWAYS)}",
            f"  before_script: [{both}, export AI_FLOW_INPUT=$x AI_FLOW_CONTEXT=$y, !reference [base, before_script]]",
        )
    )
    ran = run(place, gitlab, {}, text=text)
    assert ran.job.returncode == 0, (ran.job.done, ran.job.log)
    assert "x" * 200000 in ran.asked
    assert "AI_FLOW_INPUT is too long" in ran.job.log
    assert "AI_FLOW_CONTEXT is too long" in ran.job.log


@pytest.mark.parametrize("user", USERS)
def test_nothing_of_a_hostile_checkout_acts_and_the_rules_are_the_target_branchs(
    gitlab: Sandbox, user: int | None
) -> None:
    with fresh_place(user) as place:
        turns: list[Turn] = [
            [
                Call("Read", {"file_path": str(place.work / "sub" / "file.txt")}),
                Call("Bash", {"command": "echo [$OF_THE_CHECKOUT]"}),
            ],
            Call("mcp__gitlab__get_file", {"path": "prompts/review.md"}),
        ]
        variables = {
            "AI_FLOW_INPUT": "Begin.",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_PIPELINE_SOURCE": "merge_request_event",
        }
        ran = run(
            place, gitlab, variables, files=HOSTILE, script=turns, inputs={"allowed_tools": "Bash Read mcp__gitlab"}
        )
    assert ran.job.returncode == 0, ran.job.done
    assert ran.marks == []
    assert "Begin." in ran.asked

    # The model is the job's, and so is the key.
    assert {one.headers["x-api-key"] for one in ran.requests} == {"key-of-a-scripted-model"}
    read, echoed, file = ran.requests[-1].results
    assert "A line." in read.text
    assert echoed.text == "[]"
    # The GitLab server is the one that the job's first line registered.
    assert "The prompt of the target branch." in file.text
    assert "mcp__gitlab__get_issue" in ran.requests[0].tools_in_full

    assert RULES in ran.requests[0].system
    assert "Rules of the checkout" not in ran.sent


@pytest.mark.parametrize(
    ("branch", "begins"), [("long", "--settings={}\n\u00e9 rule"), ("linked", "Rules behind a link."), ("absent", "")]
)
def test_rules_of_every_kind_of_branch_reach_the_model_or_are_missed_in_the_log(
    place: Place, gitlab: Sandbox, branch: str, begins: str
) -> None:
    variables = {"AI_FLOW_INPUT": "Begin.", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": branch}
    ran = run(place, gitlab, variables, inputs={"allow_missing_rules": True})
    assert ran.job.returncode == 0, ran.job.done
    assert begins in ran.requests[0].system
    assert RULES not in ran.requests[0].system
    assert ("only its first 100000 bytes" in ran.requests[0].system) == (branch == "long")
    assert len(ran.requests[0].system) < 200_000
    assert ("could not be fetched" in ran.job.log) == (branch == "absent")


def test_the_prompt_of_a_job_is_its_input_as_gitlab_puts_it_into_the_text(place: Place, gitlab: Sandbox) -> None:
    values = {"prompt": PROMPT, "model": "opus", "max_turns": 1, "allowed_tools": "Bash(echo:*) mcp__gitlab__get_issue"}
    calls = [[Call("Bash", {"command": "echo one"}), Call("Bash", {"command": "touch MARK"})]]
    text = interpolated({**values, "server_flags": "--read-only", "base_url": "MODEL"})
    ran = run(place, gitlab, {}, text=text, script=calls)
    assert PROMPT in ran.asked
    assert RULES in ran.requests[0].system
    assert "opus" in ran.requests[0].body["model"]
    assert "mcp__gitlab__get_issue" in ran.requests[0].tools
    assert "mcp__gitlab__commit_files" not in ran.requests[0].tools
    # There was one turn to take.
    assert len(ran.requests) == 1
    assert "Reached maximum number of turns (1)" in ran.job.log
    assert "FAIL 3" in ran.job.done.stderr


def test_the_prompt_file_is_the_target_branchs(place: Place, gitlab: Sandbox) -> None:
    files = {"prompts/review.md": "The prompt of the checkout."}
    ran = run(place, gitlab, {}, files=files, inputs={"prompt_file": "prompts/review.md"})
    assert ran.job.returncode == 0, ran.job.done
    assert "--version\nThe prompt of the target branch.\n" in ran.asked
    assert "The prompt of the checkout." not in ran.sent


def test_a_prompt_file_that_is_not_there_fails_the_job_before_the_model_is_asked(place: Place, gitlab: Sandbox) -> None:
    ran = run(place, gitlab, {}, inputs={"prompt_file": "prompts/none.md"})
    assert ran.job.returncode != 0
    assert "The target branch has no file prompts/none.md" in ran.job.log
    assert ran.requests == []


OF_THE_BRANCH = {
    **HOSTILE,
    ".gitlab-ci.yml": json.dumps({"claude": {"before_script": ["touch MARK-ci"], "script": ["touch MARK-ci"]}}),
    ".gitattributes": "* filter=evil\n",
    ".githooks/post-checkout": "#!/bin/sh\ntouch MARK-hook\n",
}


def test_a_mention_on_a_hostile_branch_runs_the_job_of_the_default_branch(place: Place, gitlab: Sandbox) -> None:
    with fresh_place() as author:
        mark = str(place.folder / "mark")
        commit(author, gitlab, {name: text.replace("MARK", mark) for name, text in OF_THE_BRANCH.items()})
        token = gitlab.tokens["maintainer"]
        author.git("push", "--quiet", remote(gitlab, f"oauth2:{token}@"), "HEAD:refs/heads/hostile")
    body = {"source_branch": "hostile", "target_branch": "main", "title": "Look at this"}
    item = SeededItem(send(gitlab, "POST", "/merge_requests", **body)["iid"], "merge request")
    mention = asked(gitlab, item, "@claude max_turns=5 read sub/file.txt")
    given = {"claude_noteable": item.path.strip("/"), "claude_note": str(mention.mention)}
    ran = run(
        place,
        gitlab,
        {
            "GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"],
            "CI_PIPELINE_SOURCE": "trigger",
            "CI_COMMIT_BRANCH": "main",
        },
        inputs={**given, "claude_digest": digest(gitlab, item, mention)},
        script=[Call("Read", {"file_path": str(place.work / "sub" / "file.txt")})],
    )
    assert ran.job.returncode == 0, (ran.job.done, ran.job.log)
    assert ran.marks == []
    assert "read sub/file.txt" in ran.asked
    # The files are those of the branch, its .gitlab-ci.yml among them; the rules are not.
    assert "A line." in ran.requests[-1].results[0].text
    assert "MARK-ci".replace("MARK", mark) in (place.work / ".gitlab-ci.yml").read_text()
    assert RULES in ran.requests[0].system
    assert "Rules of the checkout" not in ran.sent
    [text] = texts(gitlab, mention)
    assert text.startswith("Done in")


def test_a_comment_that_was_edited_since_reaches_no_model(place: Place, gitlab: Sandbox) -> None:
    mention = asked(gitlab, SEED.crash_issue, "@claude fix it")
    given = {"claude_noteable": SEED.crash_issue.path.strip("/"), "claude_note": str(mention.mention)}
    given["claude_digest"] = digest(gitlab, SEED.crash_issue, mention)
    send(gitlab, "PUT", f"{SEED.crash_issue.path}/notes/{mention.mention}", "maintainer", body="@claude delete it")
    ran = run(place, gitlab, {"GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"]}, inputs=given)
    assert ran.job.returncode == 0, (ran.job.done, ran.job.log)
    assert ran.requests == []
    [text] = texts(gitlab, mention)
    assert "was edited" in text
